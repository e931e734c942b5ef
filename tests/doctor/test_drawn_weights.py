"""Weights that are as they were drawn are told from those that a training has changed."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sevensteps.doctor.drawn_weights import are_as_drawn, is_as_drawn

pytestmark = pytest.mark.draws
DRAWN = {
    "linear": lambda: nn.Linear(12, 48).weight,
    "narrow": lambda: nn.Linear(48, 3).weight,
    "convolution": lambda: nn.Conv2d(8, 16, 3).weight,
    "normal": lambda: nn.init.kaiming_normal_(torch.empty(64, 32)),
    "small": lambda: 0.01 * nn.Linear(64, 64).weight,
}


@pytest.mark.parametrize("kind", DRAWN)
def test_drawn_weights(kind: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert sum(is_as_drawn(DRAWN[kind]()) for _ in range(20)) >= 18


def trained() -> Tensor:
    model = nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 4))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    x = torch.randn(400, 8)
    for _ in range(100):
        optimizer.zero_grad()
        F.cross_entropy(model(x), (x[:, :2] > 0).long() @ torch.tensor([1, 2])).backward()
        optimizer.step()
    weight: Tensor = model[0].weight
    return weight


def test_other_weights() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert not is_as_drawn(trained())
        direction = torch.outer(torch.randn(64), torch.randn(32))
        assert not is_as_drawn(torch.randn(64, 32) + direction)
    for weight in (torch.zeros(64, 64), torch.ones(64, 64), torch.randn(64), torch.randn(5, 5)):
        assert not is_as_drawn(weight)


def test_small_matrices_are_told_together() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        small = [nn.Conv2d(1, 4, 3).weight, nn.Conv2d(4, 2, 3).weight]
        assert not any(is_as_drawn(weight) for weight in small)
        assert are_as_drawn(small)
        assert are_as_drawn([nn.Linear(12, 48).weight, nn.Linear(5, 2).weight])
        assert not are_as_drawn([trained(), *small])
        assert not are_as_drawn([weight * 3 for weight in small])
    assert not are_as_drawn([])
