"""A loss that is no number: after short steps nobody blames the rate, after growth it is blamed."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import sevensteps as ss

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
def test_a_loss_that_breaks_after_short_steps(lr: float) -> None:
    assert conditions(lr, broken_step=5) == ["not_finite"]


def test_steps_that_are_too_long() -> None:
    assert "learning_rate_too_high" in conditions(300.0, broken_step=None)
