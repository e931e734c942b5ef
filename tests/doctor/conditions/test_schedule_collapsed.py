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


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("lr_decay", "named"), [(1, True), (0.5, True), (1e-4, False), (0, False)])
def test_an_optimizer_that_divides_its_own_rate(lr_decay: float, named: bool, seed: int) -> None:
    """Classes of bent borders, of which hardly one is known after a few dozen steps."""
    torch.manual_seed(seed)
    x = torch.randn(512, 6)
    y = 2 * (x[:, 0] * x[:, 1] > 0).long() + (x[:, 2] > x[:, 3].square() - 0.7).long()
    model = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 4))
    optimizer = torch.optim.Adagrad(model.parameters(), 0.02, lr_decay=lr_decay)
    with ss.watch(model, optimizer) as watch:
        for _ in range(40):
            for rows in torch.randperm(512).split(32):
                loss = F.cross_entropy(model(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    findings = watch.diagnose(train=(x, y)).findings
    assert [f.condition for f in findings if f.severity != "info"] == (
        ["schedule_collapsed"] if named else []
    )
