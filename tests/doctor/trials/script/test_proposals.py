"""Which remedies of a diagnosis can be tried on a script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.conditions import condition_names
from sevensteps.doctor.trials.script.proposals import FINDERS, Proposal, plan_of, proposals

pytestmark = pytest.mark.draws
LossFn = Callable[[Tensor, Tensor], Tensor]


def proposed(loss_fn: LossFn, lr: float = 0.1, clears: bool = True) -> list[Proposal]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    x = torch.randn(256, 6)
    y = (x @ torch.randn(6, 4)).argmax(1)
    with ss.watch(model, optimizer, budget=1.0) as watch:
        for _ in range(6):
            for rows in torch.randperm(256).split(16):
                loss = loss_fn(model(x[rows]), y[rows])
                if clears:
                    optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    diagnosis = watch.diagnose()
    plan: dict[str, Any] = plan_of(diagnosis.case, diagnosis.findings, ("SGD",), 0)
    assert plan["steps"] == 96
    assert plan["proposals"] == [
        vars(p) for p in proposals(diagnosis.case, diagnosis.findings, ("SGD",))
    ]
    return proposals(diagnosis.case, diagnosis.findings, ("SGD",), [])


def twice(output: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(output.softmax(1), target)


@pytest.mark.long
def test_a_softmax_before_the_loss_by_its_line() -> None:
    [proposal] = proposed(twice)
    line = twice.__code__.co_firstlineno + 1
    place = f"{Path(__file__).name}:{line}"
    assert proposal.condition == "output_loss_mismatch"
    assert proposal.change == {"loss": f"take_off(function='softmax', place='{place}')"}


@pytest.mark.long
def test_a_learning_rate_by_its_factor() -> None:
    found = proposed(F.cross_entropy, lr=100.0)
    factors = [p.change["step"] for p in found if p.condition == "learning_rate_too_high"]
    assert factors
    for text in factors:
        assert 0 < float(text.partition("=")[2].rstrip(")")) < 1


def test_gradients_that_are_not_cleared() -> None:
    found = proposed(F.cross_entropy, clears=False)
    assert [p.change for p in found] == [{"gradient": "clear_gradients()"}]


def test_nothing_of_a_healthy_training() -> None:
    assert proposed(F.cross_entropy) == []


def test_every_condition_with_trials_exists() -> None:
    assert set(FINDERS) <= set(condition_names())


def broadcast(output: Tensor, target: Tensor) -> Tensor:
    return F.mse_loss(output[:, :1], target.float())


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.long
def test_a_target_of_another_shape_by_its_line() -> None:
    place = f"{Path(__file__).name}:{broadcast.__code__.co_firstlineno + 1}"
    changes = [p.change for p in proposed(broadcast)]
    assert {"loss": f"reshape_target(function='mse_loss', place='{place}')"} in changes


def unlogged(output: Tensor, target: Tensor) -> Tensor:
    return F.nll_loss(output, target)


@pytest.mark.slow
def test_a_missing_logarithm_by_its_line() -> None:
    place = f"{Path(__file__).name}:{unlogged.__code__.co_firstlineno + 1}"
    [proposal] = [p for p in proposed(unlogged) if p.condition == "output_loss_mismatch"]
    change = f"insert(function='nll_loss', place='{place}', by='log_softmax')"
    assert proposal.change == {"loss": change}


def diverging(output: Tensor, target: Tensor) -> Tensor:
    return F.kl_div(output.softmax(1), F.one_hot(target, output.shape[1]).float())


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.slow
def test_a_missing_logarithm_of_a_divergence_by_its_line() -> None:
    place = f"{Path(__file__).name}:{diverging.__code__.co_firstlineno + 1}"
    changes = [p.change for p in proposed(diverging) if p.condition == "output_loss_mismatch"]
    assert {"loss": f"insert(function='kl_div', place='{place}', by='log')"} in changes
