"""Whether validation targets follow from their inputs as training targets do."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from tests.helpers.seeds import five_seeds

pytestmark = pytest.mark.draws


def found(x: Tensor, y: Tensor, xv: Tensor, yv: Tensor) -> set[str]:
    model = nn.Sequential(nn.Linear(x.shape[1], 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for rows in (part for _ in range(12) for part in torch.randperm(len(x)).split(30)):
            loss = F.mse_loss(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    diagnosis = watch.diagnose(train=(x, y), valid=(xv, yv))
    return {finding.condition for finding in diagnosis.findings}


def series(centred: bool) -> tuple[Tensor, Tensor]:
    """Two numbers and a mean of three, which may hold the next number; and the next number."""
    numbers = torch.randn(800)
    numbers = numbers + 0.8 * numbers.roll(1)
    before, now, after = numbers.roll(1), numbers, numbers.roll(-1)
    mean = (before + now + after) / 3 if centred else (numbers.roll(2) + before + now) / 3
    return torch.stack([before, now, mean], 1)[3:-3], after[3:-3, None]


@five_seeds
def test_a_mean_that_holds_what_is_to_be_forecast(seed: int) -> None:
    torch.manual_seed(seed)
    (leak, y), (sound, yv) = series(True), series(False)
    assert "target_in_input" in found(leak, y, sound, yv)
    assert not {"target_in_input", "train_valid_mismatch"} & found(sound, yv, *series(False))


@five_seeds
def test_targets_that_follow_in_another_way(seed: int) -> None:
    torch.manual_seed(seed)
    x, xv = torch.randn(600, 4), torch.randn(200, 4)
    weights, noise = torch.randn(4, 1), 0.3 * torch.randn(800, 1)
    y, yv = x @ weights + noise[:600], xv @ weights.roll(1, 0) + noise[600:]
    assert "train_valid_mismatch" in found(x, y, xv, yv)
    assert not found(x, y, xv, xv @ weights + noise[600:])


@five_seeds
def test_memory_is_no_other_relation(seed: int) -> None:
    torch.manual_seed(seed)
    x, xv = torch.randn(120, 8), torch.randn(120, 8)
    found_ones = found(x, torch.randn(120, 1), xv, torch.randn(120, 1))
    assert not {"target_in_input", "train_valid_mismatch"} & found_ones
