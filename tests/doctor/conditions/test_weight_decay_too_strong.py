"""Weights that a decay or a penalty pulls to nothing; a gentle one is not accused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.conditions.weight_decay_too_strong import examine

pytestmark = pytest.mark.draws

X = torch.randn(400, 6, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] * X[:, 1] + X[:, 2]).sign().unsqueeze(1)


def squares(network: nn.Module) -> Any:
    return sum(p.square().sum() for p in network.parameters())


def sizes(network: nn.Module) -> Any:
    return sum(p.abs().sum() for p in network.parameters())


def case_of(network: nn.Module, x: Tensor, y: Tensor, penalty: Any, decay: float = 0.0) -> Any:
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-2, weight_decay=decay)
    with ss.watch(network, optimizer) as watch:
        for _ in range(20):
            for rows in torch.randperm(len(x)).split(20):
                loss = F.mse_loss(network(x[rows]), y[rows]) + penalty(network)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    return watch.diagnose(train=(x, y), loss_fn=F.mse_loss).case


@pytest.mark.parametrize("size", [squares, sizes])
@pytest.mark.parametrize("weight", [1.0, 1e-5])
@pytest.mark.sampled(1)
def test_a_penalty_in_the_loss_that_leaves_nothing_of_the_weights(size: Any, weight: float) -> None:
    network = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))
    finding = examine(case_of(network, X, Y, lambda network: weight * size(network)))
    assert (finding is not None) == (weight == 1.0)


class Likings(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.users, self.items = nn.Embedding(20, 4), nn.Embedding(20, 4)

    def forward(self, pairs: Tensor) -> Any:
        return (self.users(pairs[:, 0]) * self.items(pairs[:, 1])).sum(1, keepdim=True)


@pytest.mark.parametrize("decay", [0.3, 1e-6])
def test_tables_of_vectors_are_weights_where_there_are_no_others(decay: float) -> None:
    pairs = torch.randint(20, (400, 2), generator=torch.Generator().manual_seed(1))
    y = Likings()(pairs).detach()
    finding = examine(case_of(Likings(), pairs, y, lambda _: 0.0, decay))
    assert (finding is not None) == (decay == 0.3)
