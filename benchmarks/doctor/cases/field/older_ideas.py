"""Networks of earlier years: the largest of several lines, gates that carry, bumps."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy


def rings(count: int) -> tuple[Tensor, Tensor]:
    """Points of three rings about the middle. [N, 2], [N]"""
    kind = torch.randint(0, 3, (count,))
    angle, far = 6.2832 * torch.rand(count), kind * 0.7 + 0.3 + 0.1 * torch.randn(count)
    return torch.stack([far * angle.cos(), far * angle.sin()], 1), kind


class Maxout(nn.Module):
    """The largest of `pieces` linear functions for each unit."""

    def __init__(self, inputs: int, units: int, pieces: int = 3) -> None:
        super().__init__()
        self.pieces, self.linear = pieces, nn.Linear(inputs, units * pieces)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).unflatten(1, (-1, self.pieces)).amax(2)


def largest() -> Trained:
    """No activation but the maximum, and weights whose rows are kept short, as it was published."""
    x, y = rings(1200)
    model = nn.Sequential(Maxout(2, 16), Maxout(16, 16), nn.Linear(16, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1000, 40, 12):
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
            with torch.no_grad():
                for layer in model[:2]:
                    layer.linear.weight.copy_(layer.linear.weight.renorm(2, 0, 3.0))
    return Trained(watch, accuracy(model, x[1000:], y[1000:]))


class Highway(nn.Module):
    """A gate says how much of the new value is taken; it starts almost closed."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.value, self.gate = nn.Linear(width, width), nn.Linear(width, width)
        nn.init.constant_(self.gate.bias, -2.0)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.gate(x))
        return gate * torch.tanh(self.value(x)) + (1 - gate) * x


def carried() -> Trained:
    x, y = rings(1200)
    model = nn.Sequential(nn.Linear(2, 24), *[Highway(24) for _ in range(6)], nn.Linear(24, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1000, 50, 9):
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    return Trained(watch, accuracy(model, x[1000:], y[1000:]), {"train": (x[:1000], y[:1000])})


class Bumps(nn.Module):
    """A Gaussian bump about each of some samples, its centre and width learned; and a line."""

    def __init__(self, centres: Tensor, classes: int) -> None:
        super().__init__()
        self.centres = nn.Parameter(centres.clone())
        self.log_width = nn.Parameter(torch.full((len(centres),), -1.0))
        self.out = nn.Linear(len(centres), classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        square = (x[:, None] - self.centres).square().sum(2)
        bump = torch.exp(-square / (2 * (2 * self.log_width).exp()))
        logits: Tensor = self.out(bump / (bump.sum(1, keepdim=True) + 1e-8))
        return logits


def bumps() -> Trained:
    x, y = rings(1200)
    model = Bumps(x[:40], 3)
    optimizer = torch.optim.Rprop(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(90):  # all the samples in each step
            descend(watch, optimizer, F.multi_margin_loss(model(x[:1000]), y[:1000]), y[:1000])
    return Trained(watch, accuracy(model, x[1000:], y[1000:]))


CASES = [
    healthy("the largest of three lines", largest),
    healthy("six layers with gates", carried),
    healthy("bumps about samples", bumps),
]
