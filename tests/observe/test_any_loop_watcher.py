"""Watching a plain loop leaves no trace in it."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

import sevensteps as ss
from sevensteps.errors import ArgumentError
from sevensteps.observe.observation import Observation
from tests.observe.loops import NETWORKS, train


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("budget", [0.02, 1.0])
def test_watching_leaves_no_trace(name: str, budget: float) -> None:
    alone, _ = train(NETWORKS[name], None)
    watched, watch = train(NETWORKS[name], budget)
    for (key, a), b in zip(alone.state_dict().items(), watched.state_dict().values(), strict=True):
        assert torch.equal(a, b), key
    assert watch is not None
    assert watch.observation.looks
    assert not any(
        module._forward_hooks or module._forward_pre_hooks for module in watched.modules()
    )


@pytest.mark.parametrize(("two", "accumulate"), [(True, 1), (False, 4), (True, 3)])
def test_nor_with_several_optimizers_or_accumulation(two: bool, accumulate: int) -> None:
    alone, _ = train(NETWORKS["dense"], None, two=two, accumulate=accumulate)
    watched, watch = train(NETWORKS["dense"], 1.0, two=two, accumulate=accumulate)
    assert all(
        torch.equal(a, b) for a, b in zip(alone.parameters(), watched.parameters(), strict=True)
    )
    assert watch is not None
    assert [look.stepped for look in watch.observation.looks] == [
        (step + 1) % accumulate == 0 for step in range(12)
    ]
    assert len(watch.observation.facts.groups) == 1 + two


def test_the_first_loss_that_is_no_number_is_noted_in_every_step() -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with ss.watch(model, optimizer, budget=0.001) as watch:
        for step in range(50):
            loss = model(torch.ones(4, 2)).mean() * (math.nan if step >= 37 else 1.0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=torch.zeros(4))
    assert watch.observation.notes["first_not_finite"] == 37


def test_evaluations_in_training_mode_are_counted_where_they_matter() -> None:
    for make, counted in ((NETWORKS["norm and dropout"], 3), (NETWORKS["dense"], None)):
        model = make()
        with ss.watch(model, []) as watch, torch.no_grad():
            for mode in (True, True, True, False):
                model.train(mode)(torch.ones(4, 6))
        assert watch.observation.notes.get("evaluations_training") == counted


def test_what_cannot_be_watched_is_refused() -> None:
    with pytest.raises(
        ArgumentError, match=r"the network must be a torch\.nn\.Module, or a .* not a int"
    ):
        ss.watch(3)
    with pytest.raises(
        ArgumentError,
        match=r"the optimizer must be a torch\.optim\.Optimizer or a list of them, not a str",
    ):
        ss.watch(nn.Linear(1, 1), ["sgd"])
    with pytest.raises(ArgumentError, match="budget must be"):
        ss.watch(nn.Linear(1, 1), budget=2.0)
    with pytest.raises(ArgumentError, match="belongs inside"):
        ss.watch(nn.Linear(1, 1)).step(1.0)
    with (
        ss.watch(nn.Linear(1, 1)) as watch,
        pytest.raises(ArgumentError, match=r"the loss has shape \[3\]"),
    ):
        watch.step(torch.ones(3))


@pytest.mark.draws
def test_a_look_has_the_calls_of_its_step_and_the_terms_of_its_loss() -> None:
    _, watch = train(NETWORKS["functions"], 1.0, steps=3)
    assert watch is not None
    assert watch.failure is None
    for look in watch.observation.looks:
        assert {call.name for call in look.calls} >= {"relu", "cross_entropy"}
        (term,) = look.loss_terms
        assert (term.name, term.network, term.target) == ("cross_entropy", "", "data")
        assert term.contribution == pytest.approx(look.loss)
    assert torch._C._len_torch_function_stack() == 0


@pytest.mark.draws
def test_warnings_of_pytorch_are_kept_and_survive_a_file() -> None:
    model = nn.Linear(6, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    x, y = torch.ones(4, 6), torch.ones(4)
    with (
        warnings.catch_warnings(record=True) as shown,
        ss.watch(model, optimizer, budget=1.0) as watch,
    ):
        warnings.simplefilter("default")
        for _ in range(2):
            loss = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y)
    assert [Path(line.filename).name for line in shown] == ["test_any_loop_watcher.py"]
    (warning,) = watch.observation.warnings
    assert warning.text.startswith("Using a target size")
    assert (warning.step, warning.where.partition(":")[0]) == (0, "test_any_loop_watcher.py")
    again = Observation.from_dict(json.loads(json.dumps(watch.observation.to_dict())))
    assert again.warnings == watch.observation.warnings
