"""A batch norm over two samples; over many it is not accused."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import sevensteps as ss

pytestmark = pytest.mark.draws


@pytest.mark.parametrize("size", [2, 32])
@pytest.mark.long
def test_a_batch_norm_over_two_samples(size: int) -> None:
    torch.manual_seed(0)
    y = torch.randint(6, (480,))
    x = (1.5 * torch.randn(6, 8))[y] + torch.randn(480, 8)
    layers: list[nn.Module] = []
    for inputs in (8, 32, 32):
        layers += [nn.Linear(inputs, 32), nn.BatchNorm1d(32), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(32, 6))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(1 if size == 2 else 12):
            for rows in torch.randperm(480).split(size):
                loss = F.cross_entropy(model(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    named = [f.condition for f in watch.diagnose(train=(x, y)).findings]
    assert ("batch_too_small" in named) == (size == 2)
