"""A training whose steps come to nothing is named, whatever its loss measures, and no fine-tuning
of a network that had been trained before.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import sevensteps as ss
from sevensteps.doctor.case import Case
from sevensteps.doctor.hardly_moved import hardly_moved

pytestmark = pytest.mark.draws


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(16, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 4)
    )


def of_views(model: nn.Module, lr: float, steps: int = 120) -> tuple[list[str], Case]:
    """The warnings about codes that are alike for two noisy views of a sample: of a loss that is no
    error.
    """
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(256, 4, generator=generator) @ torch.randn(4, 16, generator=generator)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    with ss.watch(model, optimizer) as watch:
        for _ in range(steps):
            rows = torch.randperm(256, generator=generator)[:32]
            views = (x[rows] + 0.1 * torch.randn(32, 16, generator=generator) for _ in range(2))
            a, b = (F.normalize(model(view), dim=1) for view in views)
            loss = F.triplet_margin_loss(a, b, b.roll(1, 0))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    diagnosis = watch.diagnose()
    return [f.condition for f in diagnosis.findings if f.severity != "info"], diagnosis.case


@pytest.mark.parametrize(
    ("lr", "steps", "said"),
    [(3e-3, 120, []), (3e-6, 120, ["learning_rate_too_low"]), (2e-3, 10, ["stopped_early"])],
    ids=["well", "steps too short", "steps too few"],
)
def test_weights_near_where_they_were_drawn(lr: float, steps: int, said: list[str]) -> None:
    assert of_views(network(), lr, steps)[0] == said


def test_a_network_that_was_trained_before_need_not_go_far() -> None:
    model = network()
    of_views(model, 1e-2, 300)
    said, case = of_views(model, 3e-6)
    assert not hardly_moved(case)
    assert said == []
