"""A trained weight of an error that goes to nothing is named; one that has its price is not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss

pytestmark = pytest.mark.draws


class Doubtful(nn.Module):
    """Two heads, and a trained logarithm of each one's weight in the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 24), nn.ReLU())
        self.kind, self.number = nn.Linear(24, 3), nn.Linear(24, 1)
        self.weight = nn.Parameter(torch.zeros(2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(x)
        return self.kind(h), self.number(h)


def two_heads(loss_of: Any) -> list[str]:
    torch.manual_seed(0)
    x = torch.randn(400, 6)
    kind, number = (x[:, 0] > 0).long() + (x[:, 1] * x[:, 2] > 0).long(), x[:, 3:4] - x[:, 4:5]
    model = Doubtful()
    own = [p for name, p in model.named_parameters() if name != "weight"]
    groups = [{"params": own}, {"params": [model.weight], "lr": 0.3}]
    optimizer = torch.optim.Adam(groups, 3e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(240):
            rows = torch.randint(400, (32,))
            loss = loss_of(model.weight, *model(x[rows]), kind[rows], number[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=(kind[rows], number[rows]))
    return [f.condition for f in watch.diagnose().findings if f.severity != "info"]


@pytest.mark.parametrize("price", [0.0, 1.0])
def test_a_weight_that_is_trained_and_costs_nothing_is_named(price: float) -> None:
    def loss_of(weight: Tensor, kind: Tensor, number: Tensor, k: Tensor, n: Tensor) -> Tensor:
        errors = torch.stack([F.cross_entropy(kind, k), F.mse_loss(number, n)])
        return (errors * (-weight).exp() + price * weight).sum()

    assert two_heads(loss_of) == ([] if price else ["loss_terms_unbalanced"])
