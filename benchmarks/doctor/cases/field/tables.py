"""Columns of categories and of numbers, several inputs, inputs by name."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


class Embedded(nn.Module):
    """Embeddings of categories beside numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.towns, self.kinds = nn.Embedding(12, 6), nn.Embedding(4, 3)
        self.layers = dense(9 + 5, 48, 1)

    def forward(self, categories: Tensor, numbers: Tensor) -> Tensor:
        parts = [self.towns(categories[:, 0]), self.kinds(categories[:, 1]), numbers]
        answer: Tensor = self.layers(torch.cat(parts, 1))[:, 0]
        return answer


class Named(nn.Module):
    """The same, from a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Embedded()

    def forward(self, row: dict[str, Tensor]) -> Tensor:
        answer: Tensor = self.network(row["categories"], row["numbers"])
        return answer


def houses(count: int) -> tuple[Tensor, Tensor, Tensor]:
    categories = torch.stack([torch.randint(12, (count,)), torch.randint(4, (count,))], 1)
    numbers = torch.randn(count, 5)
    worth, factor = torch.randn(12), torch.rand(4) + 0.5
    price = worth[categories[:, 0]] + factor[categories[:, 1]] * numbers[:, 0]
    return categories, numbers, price + 0.2 * torch.randn(count)


def several_inputs() -> Trained:
    categories, numbers, y = houses(1500)
    model = Embedded()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    loader = DataLoader(
        TensorDataset(categories[:1200], numbers[:1200], y[:1200]), 50, shuffle=True
    )
    with ss.watch(model, optimizer) as watch:
        for _ in range(12):
            for c, n, target in loader:
                descend(watch, optimizer, F.mse_loss(model(c, n), target), target)
    with torch.no_grad():
        score = r2(model(categories[1200:], numbers[1200:]), y[1200:])
    known = {
        "train": loader,
        "valid": ((categories[1200:], numbers[1200:]), y[1200:]),
        "loss_fn": F.mse_loss,
    }
    return Trained(watch, score, known)


def named_inputs() -> Trained:
    categories, numbers, y = houses(1500)
    model = Named()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def rows(chosen: Tensor | slice) -> dict[str, Tensor]:
        return {"categories": categories[chosen], "numbers": numbers[chosen]}

    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 50, 12):
            descend(watch, optimizer, F.mse_loss(model(rows(chosen)), y[chosen]), y[chosen])
    with torch.no_grad():
        score = r2(model(rows(slice(1200, None))), y[1200:])
    known = {
        "train": (rows(slice(1200)), y[:1200]),
        "valid": (rows(slice(1200, None)), y[1200:]),
        "loss_fn": F.mse_loss,
    }
    return Trained(watch, score, known)


def few_values() -> Trained:
    """Columns of few values each, so that many rows are alike; split at random."""
    x = torch.stack([torch.randint(3, (1500,)) for _ in range(5)], 1).float()
    y = ((x[:, 0] + x[:, 1] * x[:, 2] > 2).long() + (x[:, 3] > 1)).clamp(max=2)
    model = dense(5, 32, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 50, 12):
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = float((model(x[1200:]).argmax(1) == y[1200:]).double().mean())
    known = {
        "train": (x[:1200], y[:1200]),
        "valid": (x[1200:], y[1200:]),
        "loss_fn": F.cross_entropy,
    }
    return Trained(watch, score, known)


CASES = [
    healthy("categories and numbers", several_inputs),
    healthy("inputs by name", named_inputs),
    healthy("columns of few values", few_values),
]
