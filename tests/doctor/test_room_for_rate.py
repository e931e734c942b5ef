"""How much larger a rate could be, against closed forms of a linear model."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import sevensteps as ss
from sevensteps.api.watch import case_of
from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions.stopped_early import examine
from sevensteps.doctor.room_for_rate import loss_is_straight, room_for_rate
from sevensteps.doctor.simple_models import worse_than_simple_model
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation

pytestmark = pytest.mark.draws
X = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
Y = X.sum(1, keepdim=True)
TOP = float(torch.linalg.eigvalsh(2 * X.T @ X / len(X))[-1])


def trained(rate: float, steps: int = 20, momentum: float = 0.0, adam: bool = False) -> Case:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Linear(3, 1, bias=False)
    optimizer: torch.optim.Optimizer = torch.optim.SGD(model.parameters(), rate, momentum=momentum)
    if adam:
        optimizer = torch.optim.Adam(model.parameters(), rate)
    with ss.watch(model, optimizer) as watch:
        for _ in range(steps):
            loss = F.mse_loss(model(X), Y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=Y)
    return case_of(watch, (X, Y))


def test_the_curvature_says_how_large_a_rate_is_stable() -> None:
    room = room_for_rate(trained(1e-3, momentum=0.5))
    assert room is not None
    assert room.is_known
    assert room.is_large
    assert room.times == pytest.approx(2 / TOP / 1e-3, rel=0.05)
    assert room.time_constants == pytest.approx(20 * 1e-3 * TOP / 0.5, rel=0.05)
    assert 1e-3 < room.longer() < 2 / TOP


def test_it_says_nothing_of_steps_that_do_not_grow_with_the_gradient() -> None:
    room = room_for_rate(trained(1e-3, adam=True))
    assert room is not None
    assert math.isnan(room.times)
    assert not room.is_large
    assert room.longer(4.0) == pytest.approx(4e-3)


def test_a_loss_that_bends_is_not_straight() -> None:
    assert loss_is_straight(trained(1e-3))
    assert not loss_is_straight(trained(0.3, steps=100))


@pytest.mark.parametrize(("rate", "larger"), [(2e-3, True), (0.5 / TOP, False)])
def test_what_was_stopped_early_is_told_to_take_longer_steps_where_there_is_room(
    rate: float, larger: bool
) -> None:
    case = trained(rate, steps=20 if larger else 4)
    vars(case).update(
        scores={"train": 0.1},
        skill=0.1,
        baseline_score=0.0,
        smoothed_losses=[(step, 2.0 - 0.05 * step) for step in range(20)],
    )
    finding = examine(case)
    assert finding is not None
    steps = [r.change["step"] for r in finding.remedies if "step" in r.change]
    assert bool(steps) is larger
    assert "stop" in finding.remedies[0].change


def test_a_training_with_next_to_nothing_left_of_its_loss_was_not_stopped_early() -> None:
    case = trained(2e-3)
    vars(case).update(scores={"train": -1.0}, skill=-1.0, baseline_score=0.0)
    for left, accused in ((0.02, False), (0.9, True)):
        end = left * float(Y.var())
        losses = [(step, end + 0.1 * end * (19 - step)) for step in range(20)]
        vars(case)["smoothed_losses"] = losses
        assert (examine(case) is not None) is accused


def test_targets_that_are_the_inputs_are_no_measure_of_a_network() -> None:
    x = torch.randn(100, 6, generator=torch.Generator().manual_seed(0))
    for target, worse in ((x, False), (x + x.flip(1), True)):
        case = Case(Observation(network_facts(nn.Linear(6, 6))), None, train=(x, target))
        vars(case).update(task="regression", scores={"train": 0.3}, skill=0.3)
        assert worse_than_simple_model(case, 0.1) is worse
