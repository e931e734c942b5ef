"""Activations of somebody's own are seen, as far as they stand between weights."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.api.watch import case_of
from sevensteps.doctor.conditions.signal_vanishes import depth


class Squared(nn.Module):
    """x -> x²"""

    def forward(self, x: Tensor) -> Tensor:
        return x * x


def test_modules_without_parameters_are_activations_of_ones_own() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        for _ in range(5):
            layers += [nn.Linear(8, 8), Squared()]
        model = nn.Sequential(*layers, nn.Linear(8, 3))
        x, y = 0.5 * torch.randn(32, 8), torch.randint(3, (32,))
        optimizer = torch.optim.SGD(model.parameters(), 0.01)
        with ss.watch(model, optimizer) as watch:
            for _ in range(3):
                loss = F.cross_entropy(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y)
        spreads = depth(case_of(watch, (x, y)))
    assert [name for name, _ in spreads] == ["1", "3", "5", "7", "9"]
    assert spreads[-1][1] < 0.01 * spreads[0][1]
