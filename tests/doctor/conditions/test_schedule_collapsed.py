"""A rate that was cut too early, and one that was cut because the evaluations were level."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import sevensteps as ss

pytestmark = pytest.mark.draws
STEPS = 400


def conditions(cut: int, evaluations: dict[int, float]) -> list[str]:
    """What is found where the rate is cut after `cut` steps, with these losses of evaluations."""
    torch.manual_seed(0)
    x = torch.randn(256, 8)
    y = x[:, :1].sin() + x[:, 1:2] * x[:, 2:3] + torch.randn(256, 1)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    with ss.watch(model, optimizer) as watch:
        for step in range(STEPS):
            for group in optimizer.param_groups:
                group["lr"] = 1e-3 if step < cut else 1e-4 if step < cut + 5 else 1e-6
            rows = torch.randperm(256)[:32]
            loss = F.mse_loss(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
            if step in evaluations:
                watch.valid(loss=evaluations[step])
    return [finding.condition for finding in watch.diagnose(train=(x, y)).findings]


def test_a_rate_that_is_cut_while_the_evaluations_improve() -> None:
    improving = {step: 2 - step / 100 for step in range(9, 60, 10)}
    assert "schedule_collapsed" in conditions(60, improving)
    assert "schedule_collapsed" in conditions(60, {})


def test_a_rate_that_is_cut_when_the_evaluations_are_level() -> None:
    level = {step: 1.5 + abs(step - 19) / 100 for step in range(9, 60, 10)}
    assert "schedule_collapsed" not in conditions(60, level)
