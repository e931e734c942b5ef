"""A loss that is no number: after short steps nobody blames the rate, after growth it is blamed."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import sevensteps as ss
from tests.helpers.seeds import five_seeds, three_seeds

pytestmark = pytest.mark.draws


def conditions(lr: float, broken_step: int | None) -> list[str]:
    """What is found of a classifier trained with this rate, with one loss that is no number."""
    torch.manual_seed(0)
    x = torch.randn(256, 16)
    y = (x[:, 0] * x[:, 1] > 0).long()
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr)
    with ss.watch(model, optimizer, budget=1) as watch:
        for step in range(24):
            rows = torch.randperm(256)[:32]
            loss = F.cross_entropy(model(x[rows]), y[rows])
            loss = loss * torch.nan if step == broken_step else loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    return [finding.condition for finding in watch.diagnose().findings]


@pytest.mark.parametrize("lr", [0.1, 0.2, 0.4])
@pytest.mark.sampled(1)
def test_a_loss_that_breaks_after_short_steps(lr: float) -> None:
    assert conditions(lr, broken_step=5) == ["not_finite"]


def test_steps_that_are_too_long() -> None:
    assert "learning_rate_too_high" in conditions(300.0, broken_step=None)


@five_seeds
def test_batches_that_differ_are_no_rise(seed: int) -> None:
    """Targets of which hardly anything follows from the inputs: the losses of batches vary by a
    quarter, and none is far below the first.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        x = torch.randn(2600, 8)
        y = 0.15 * x[:, :1] + torch.randn(2600, 1)
        model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        with ss.watch(model, optimizer) as watch:
            for _ in range(4):
                for rows in torch.randperm(2600).split(32):
                    loss = nn.functional.mse_loss(model(x[rows]), y[rows])
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    watch.step(loss, target=y[rows])
        found = watch.diagnose(train=(x, y)).findings
    assert "learning_rate_too_high" not in {finding.condition for finding in found}


@three_seeds
@pytest.mark.sampled(1)
def test_a_layer_that_long_steps_of_momentum_switch_off(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(1200, 20)
    y = (x @ torch.randn(20, 6)).argmax(1)
    layers = [nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 6)]
    model = nn.Sequential(*layers)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.95)
    with ss.watch(model, optimizer) as watch:
        for rows in (part for _ in range(10) for part in torch.randperm(1200).split(32)):
            loss = torch.nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    found = watch.diagnose(train=(x, y)).findings
    assert found[0].condition == "learning_rate_too_high"
