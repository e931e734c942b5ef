"""The cost of a step is counted: it grows with what is computed, and is the same each time."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sevensteps.doctor.plain_training.step_cost import STEP, seconds_of_step

pytestmark = pytest.mark.draws


def cost(network: nn.Module, *shape: int) -> float:
    x = torch.zeros(shape)
    return seconds_of_step(lambda: network(x))


def test_more_layers_wider_layers_and_longer_sequences_cost_more() -> None:
    with torch.random.fork_rng():
        small, wide = nn.Linear(8, 8), nn.Linear(8, 800)
        deep = nn.Sequential(*(nn.Linear(8, 8) for _ in range(10)))
        recurrent = nn.GRU(3, 8, batch_first=True)
    assert STEP < cost(small, 32, 8) < cost(wide, 32, 8) < cost(deep, 32, 8)
    assert cost(recurrent, 32, 10, 3) < 0.3 * cost(recurrent, 32, 100, 3)
    assert cost(recurrent, 32, 10, 3) < 1.2 * cost(recurrent, 16, 10, 3)


def test_it_is_the_same_each_time_and_leaves_no_gradient() -> None:
    with torch.random.fork_rng():
        network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    assert cost(network, 16, 1, 8, 8) == cost(network, 16, 1, 8, 8)
    assert all(p.grad is None for p in network.parameters())
