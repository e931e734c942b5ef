"""A loss is written down as calls, and computed again from another batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.observe.loss_tape import InputOf, LossTape, ResultOf, RowsOf, TargetOf, substitute

pytestmark = pytest.mark.draws

X = torch.randn(40, 5, generator=torch.Generator().manual_seed(0))
Y = torch.randint(0, 3, (40,), generator=torch.Generator().manual_seed(1))


def taped(loss_of: Any, target: bool = True, steps: int = 2) -> LossTape | None:
    """The tape of a training's last step, of rows that change from step to step."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with ss.watch(model, optimizer, budget=1) as watch:
        for step in range(steps):
            rows = torch.arange(8) + 8 * step
            x = X[rows]
            loss = loss_of(model, x, rows)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=Y[rows] if target else None)
        assert watch.failure is None
        tape: LossTape | None = watch._recorders.calls.last_tape
    return tape


def names(tape: LossTape) -> list[str]:
    return [getattr(entry.function, "__name__", "the network") for entry in tape.entries]


def test_targets_and_inputs_are_known_as_such() -> None:
    def loss_of(model: nn.Module, x: Tensor, rows: Tensor) -> Tensor:
        return F.cross_entropy(model(x), Y[rows]) + (model(x).sum(1) - x.sum(1)).square().mean()

    tape = taped(loss_of)
    assert tape is not None
    assert not tape.foreign
    crossed = tape.entries[names(tape).index("cross_entropy")]
    assert crossed.args == (ResultOf(0, ""), TargetOf("", torch.int64))
    sums = [e.args[0] for e, name in zip(tape.entries, names(tape), strict=True) if name == "sum"]
    assert InputOf(0, "0.0") in sums
    assert "__getitem__" not in names(tape), "what only picks the targets is not needed"
    assert tape.losses == (ResultOf(len(tape.entries) - 1, ""),)


def test_numbers_of_the_batch_that_nobody_tells_are_foreign() -> None:
    def loss_of(model: nn.Module, x: Tensor, rows: Tensor) -> Tensor:
        weights = x[:, 0].exp()  # before the network is called
        return (F.cross_entropy(model(x), Y[rows], reduction="none") * weights).mean()

    tape = taped(loss_of)
    assert tape is not None
    assert tape.foreign


def test_an_answer_that_was_not_returned_leaves_no_tape() -> None:
    hidden: list[Tensor] = []

    def loss_of(model: nn.Module, x: Tensor, rows: Tensor) -> Tensor:
        handle = model[1].register_forward_hook(lambda *call: hidden.append(call[2]))  # type: ignore[index]
        loss = F.cross_entropy(model(x), Y[rows])
        handle.remove()
        return loss + hidden.pop().square().mean()

    assert taped(loss_of) is None


def test_it_keeps_no_tensor_of_the_step_alive() -> None:
    import weakref

    references: list[weakref.ref[Tensor]] = []

    def loss_of(model: nn.Module, x: Tensor, rows: Tensor) -> Tensor:
        output = model(x)
        references.append(weakref.ref(output))
        return F.cross_entropy(output.log_softmax(1).exp().log(), Y[rows])

    assert taped(loss_of) is not None
    assert [reference() for reference in references] == [None] * len(references)


def test_parts_of_structures_are_substituted() -> None:
    value = (1, [2, {"a": 3}], slice(None, 4))
    assert substitute(lambda part: part and 10 * part, value) == (
        10,
        [20, {"a": 30}],
        slice(None, 40, None),
    )


def test_rows_of_the_data_are_known_again() -> None:
    rows = RowsOf(X, 0, "0.0")
    assert rows.of(X[torch.tensor([7, 3, 3])]).tolist() == [7, 3, 3]
    with pytest.raises(LookupError):
        rows.of(X[:2] + 1)


def test_what_is_picked_with_the_inputs_rows_is_not_foreign() -> None:
    def loss_of(model: nn.Module, x: Tensor, rows: Tensor) -> Tensor:
        return (F.cross_entropy(model(x), Y[rows], reduction="none") * X[rows, 0]).mean()

    tape = taped(loss_of, target=False)
    assert tape is not None
    assert not tape.foreign
    picked = [
        e.args[1] for e, n in zip(tape.entries, names(tape), strict=True) if n == "__getitem__"
    ]
    assert isinstance(picked[0], RowsOf)
