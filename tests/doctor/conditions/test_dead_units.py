"""Units that are off for a few samples only may be off by chance."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import sevensteps as ss

pytestmark = pytest.mark.draws


@pytest.mark.parametrize("count", [4, 40])
def test_some_units_of_a_wide_layer_are_dead_only_where_samples_are_many(count: int) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 1))
    with torch.no_grad():
        network[0].bias[:40] = -20
    x, y = torch.randn(count, 4), torch.randn(count, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    with ss.watch(network, optimizer) as watch:
        for _ in range(30):
            loss = F.mse_loss(network(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y)
    named = {finding.condition for finding in watch.diagnose().findings}
    assert ("dead_units" in named) == (count == 40)
