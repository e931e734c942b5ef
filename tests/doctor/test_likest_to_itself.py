"""Codes that are to be told by their likeness to themselves, and those that are not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss

pytestmark = pytest.mark.draws


def conditions(compute: Callable[[Tensor], Tensor]) -> list[str]:
    """What is named after a few steps with the loss `compute(codes)`, codes [16, 5]."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 5))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(8):
            loss = compute(model(torch.randn(16, 6)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    return [f.condition for f in watch.diagnose().findings if f.severity != "info"]


def likeness(masked: bool, other: bool) -> Callable[[Tensor], Tensor]:
    """Codes [16, 5] compared with themselves, or with others."""

    def compute(o: Tensor) -> Tensor:
        code = F.normalize(o, dim=1)
        scores = code @ (F.normalize(o.roll(1, 1), dim=1) if other else code).T / 0.2
        if masked:
            scores = scores.masked_fill(torch.eye(16, dtype=torch.bool), -1e9)
        return F.cross_entropy(scores, (torch.arange(16) + 8 * masked) % 16)

    return compute


def test_a_code_is_always_most_like_itself() -> None:
    assert "target_in_input" in conditions(likeness(masked=False, other=False))
    assert "target_in_input" not in conditions(likeness(masked=True, other=False))
    assert "target_in_input" not in conditions(likeness(masked=False, other=True))
