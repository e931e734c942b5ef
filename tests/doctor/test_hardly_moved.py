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
from sevensteps.doctor.diagnosis import diagnose
from sevensteps.doctor.hardly_moved import hardly_moved

pytestmark = pytest.mark.draws


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(16, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 4)
    )


def of_views(
    model: nn.Module, lr: float, steps: int = 120, cut: int | None = None
) -> tuple[list[str], Case]:
    """The warnings about codes that are alike for two noisy views of a sample: of a loss that is no
    error. After `cut` steps the learning rate halves with each.
    """
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(256, 4, generator=generator) @ torch.randn(4, 16, generator=generator)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    with ss.watch(model, optimizer) as watch:
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] /= 2 if cut is not None and step > cut else 1
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
@pytest.mark.sampled(1)
def test_weights_near_where_they_were_drawn(lr: float, steps: int, said: list[str]) -> None:
    assert of_views(network(), lr, steps)[0] == said


@pytest.mark.parametrize(("cut", "said"), [(5, ["schedule_collapsed"]), (112, [])])
def test_a_rate_that_was_cut_before_anything_was_learned(cut: int, said: list[str]) -> None:
    assert of_views(network(), 1e-3, 120, cut)[0] == said


def test_a_warm_up_that_never_ends() -> None:
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    warm_up = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (step + 1) / 2000)
    x = torch.randn(64, 16, generator=torch.Generator().manual_seed(2))
    with ss.watch(model, optimizer) as watch:
        for _ in range(60):
            loss = F.triplet_margin_loss(model(x), model(x + 0.1), model(x.roll(1, 0)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            warm_up.step()
            watch.step(loss)
    said = watch.diagnose().findings
    assert said[0].condition == "learning_rate_too_low"
    assert "warming up" in said[0].explanation


def test_that_nothing_says_how_well_it_learned_is_said() -> None:
    diagnosis = diagnose(of_views(network(), 3e-3)[1])
    assert "could not be told" in diagnosis.basis
    assert diagnosis.state == "healthy"


def test_a_network_that_was_trained_before_need_not_go_far() -> None:
    model = network()
    of_views(model, 1e-2, 300)
    said, case = of_views(model, 3e-6)
    assert not hardly_moved(case)
    assert said == []
