"""Weights that are one number, and frozen zeros, are named where the network does not learn."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss

pytestmark = pytest.mark.draws


class LowRank(nn.Module):
    """A frozen layer, and a product of two matrices beside it, of which one starts at 0."""

    def __init__(self, frozen: bool) -> None:
        super().__init__()
        self.base = nn.Linear(6, 3).requires_grad_(False)
        self.down = nn.Parameter(torch.randn(4, 6) / 2)
        self.up = nn.Parameter(torch.zeros(3, 4), requires_grad=not frozen)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + x @ self.down.T @ self.up.T


def conditions(make: Callable[[], nn.Module], lr: float = 1e-2) -> list[str]:
    """Three classes by the largest of three sums."""
    torch.manual_seed(0)
    x = torch.randn(300, 6)
    y = (x @ torch.randn(6, 3)).argmax(1)
    model = make()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr)
    with ss.watch(model, optimizer) as watch:
        for few in (part for _ in range(20) for part in torch.randperm(300).split(50)):
            loss = F.cross_entropy(model(x[few]), y[few])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[few])
    return [f.condition for f in watch.diagnose(train=(x, y)).findings if f.severity != "info"]


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_matrix_of_zeros(frozen: bool) -> None:
    named = "parameters_not_updated" in conditions(lambda: LowRank(frozen))
    assert named is frozen


@pytest.mark.parametrize("constant", [True, False])
def test_one_number_for_all_weights(constant: bool) -> None:
    """The biases are drawn, so that units differ, but not by what they read."""

    def network() -> nn.Module:
        model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh())
        if constant:
            for layer in (model[0], model[2]):
                nn.init.constant_(layer.weight, 0.1)
        return model.append(nn.Linear(32, 3))

    names = conditions(network, 1e-3 if constant else 1e-2)
    assert ("symmetric_units" in names) is constant
