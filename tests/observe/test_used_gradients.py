"""Gradients are copied when they are used, and measured later or, where they are many, at once."""

from __future__ import annotations

from collections.abc import Mapping
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.observe import used_gradients
from sevensteps.observe.later import FlatCopies
from sevensteps.observe.tensor_numbers import sample_entries
from sevensteps.observe.used_gradients import UsedGradients, changes_of_entries


def parameters() -> list[nn.Parameter]:
    made = [
        nn.Parameter(torch.zeros(4, 3)),
        nn.Parameter(torch.zeros(5)),
        nn.Parameter(torch.ones(2)),
    ]
    made[0].grad = torch.arange(12.0).view(4, 3)
    made[1].grad = torch.tensor([0.0, 3.0, 0.0, 4.0, 0.0])
    return made


@pytest.mark.parametrize("most", [0, 1000])
def test_norms_and_entries_are_those_of_the_moment(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(used_gradients, "MAX_COPIED", most)
    first, second, without = parameters()
    used = UsedGradients([first, second, without], 2.0, sampling=True)
    assert (used.size > 0) == (most > 0)
    for p in (first, second):
        assert p.grad is not None
        p.grad.zero_()
    measured = used.measured()
    assert id(without) not in measured
    norm, pushed = measured[id(second)]
    assert norm == pytest.approx(2.5)
    assert pushed is not None
    assert pushed.tolist() == [False, True, False, True, False]
    assert measured[id(first)][0] == pytest.approx(float(np.linalg.norm(np.arange(12))) / 2)


def test_what_is_only_there_has_no_norm_and_the_later_use_counts() -> None:
    first, second, _ = parameters()
    assert UsedGradients([first], sampling=True).measured()[id(first)][0] is None
    assert UsedGradients([first], 1.0, sampling=False).measured()[id(first)][1] is None
    earlier = UsedGradients([first, second], 1.0, sampling=True)
    assert second.grad is not None
    second.grad.mul_(2)
    both = earlier.followed_by(UsedGradients([second], 1.0, sampling=True)).measured()
    assert both[id(second)][0] == pytest.approx(10.0)
    assert both[id(first)][0] is not None


def test_entries_that_did_not_move_are_counted_among_those_that_had_a_gradient() -> None:
    moved, rounded = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 1.0])
    before = sample_entries([moved, rounded])
    moved += torch.tensor([0.0, 1.0, 2.0])
    after = sample_entries([moved, rounded])
    pushed = [np.array([False, True, True]), np.array([True, False])]
    first, second = changes_of_entries(before, after, [3, 2], pushed)
    assert first == pytest.approx([np.sqrt(np.mean(moved.numpy() ** 2)), np.sqrt(5 / 3), 2, 0])
    assert second == pytest.approx([1.0, 0.0, 1, 1])
    assert changes_of_entries(None, after, [3, 2], pushed) == [(None, None, 0, 0)] * 2


def test_copies_that_there_are_already_are_shared_and_measure_the_same() -> None:
    first, second = (nn.Parameter(torch.ones(n)) for n in (3, 5))
    first.grad, second.grad = torch.tensor([3.0, 0.0, 4.0]), torch.arange(5.0)
    alone = UsedGradients([first, second], 2.0, sampling=True)
    copies = FlatCopies({"w": first.grad, "elsewhere": torch.ones(7)})
    names = {id(first): "w", id(second): "absent"}
    shared = UsedGradients([first, second], 2.0, sampling=True, shared=[(copies, names)])
    with patch.object(used_gradients, "MAX_COPIED", 0):
        at_once = UsedGradients([first, second], 2.0, sampling=True, shared=[(copies, names)])
    assert shared.size == copies.size + second.grad.nbytes
    assert at_once.size == copies.size
    first.grad.zero_()
    second.grad.zero_()
    for one in (shared, at_once):
        assert one.measured().keys() == alone.measured().keys()
        for key, (norm, pushed) in alone.measured().items():
            assert one.measured()[key][0] == norm
            assert np.array_equal(one.measured()[key][1], pushed)


def test_a_watched_step_copies_its_gradients_once() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    names: list[list[str]] = []
    copy = FlatCopies.__init__

    def counted(copies: FlatCopies, tensors: Mapping[str, Tensor]) -> None:
        copy(copies, tensors)
        names.append(list(tensors))

    with patch.object(FlatCopies, "__init__", counted), ss.watch(model, optimizer) as watch:
        loss = model(torch.ones(5, 4)).square().mean()
        loss.backward()
        gradients = [p.grad.norm().item() for p in model.parameters() if p.grad is not None]
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
        watch.step(loss)
    parameters = [name for name, _ in model.named_parameters()]
    assert names.count(parameters) == 3  # as they were before, their gradients, as they are now
    account = watch.observation.looks[0].account
    assert account is not None
    used = [account.parameters[name].used for name in parameters]
    assert used == pytest.approx(gradients)
