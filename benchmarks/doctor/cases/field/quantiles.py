"""Parts of a distribution: quantiles, expectiles, bins, and a spread of its own."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense

LEVELS = torch.tensor([0.1, 0.25, 0.5, 0.75, 0.9])


def spread_out(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """x [count, 4], y [count], and the quantiles of y there [count, 5]."""
    x = 2 * torch.rand(count, 4) - 1
    middle, width = torch.sin(3 * x[:, 0]) + x[:, 1], 0.3 + 0.5 * (x[:, 2] + 1)
    at = math.sqrt(2) * torch.erfinv(2 * LEVELS - 1)
    return x, middle + width * torch.randn(count), middle[:, None] + width[:, None] * at


def pinball(error: Tensor, level: Tensor) -> Tensor:
    return torch.maximum(level * error, (level - 1) * error)


def several() -> Trained:
    """Five quantiles at once, the upper ones as steps from the lower."""
    x, y, truth = spread_out(2400)
    model = dense(4, 48, 48, 5, activation=nn.SiLU)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)

    def answer(x: Tensor) -> Tensor:
        first, steps = model(x).split([1, 4], 1)
        return torch.cat([first, first + F.softplus(steps).cumsum(1)], 1)

    with ss.watch(model, optimizer) as watch:
        for _ in range(20):
            for chosen in torch.randperm(2000).split(50):
                loss = pinball(y[chosen, None] - answer(x[chosen]), LEVELS).mean()
                descend(watch, optimizer, loss, y[chosen])
            schedule.step()
    with torch.no_grad():
        return Trained(watch, r2(answer(x[2000:]), truth[2000:]))


class ByLevel(nn.Module):
    """The level is an input, as cosines that multiply the features."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.level = nn.Linear(4, 48), nn.Linear(16, 48)
        self.head = dense(48, 32, 1)

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        waves = torch.cos(math.pi * torch.arange(16) * level[:, None])
        return self.head(torch.tanh(self.body(x)) * F.relu(self.level(waves)))[:, 0]


def any_level() -> Trained:
    """Levels are drawn anew for each sample."""
    x, y, truth = spread_out(2400)
    model = ByLevel()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(2000, 50, 15):
            level = torch.rand(len(chosen))
            error = y[chosen] - model(x[chosen], level)
            smooth = torch.where(error.abs() < 0.1, 5 * error.square(), error.abs() - 0.05)
            descend(
                watch, optimizer, ((level - (error.detach() < 0).float()).abs() * smooth).mean()
            )
    with torch.no_grad():
        answers = torch.stack([model(x[2000:], level.expand(400)) for level in LEVELS], 1)
    return Trained(watch, r2(answers, truth[2000:]))


def expectiles() -> Trained:
    """Squares that weigh what lies above more."""
    x, y, truth = spread_out(2400)
    model = dense(4, 48, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(2000, 50, 25):
            error = y[chosen] - model(x[chosen])[:, 0]
            weight = torch.where(error > 0, 0.8, 0.2)
            descend(watch, optimizer, (weight * error.square()).mean(), y[chosen])
    with torch.no_grad():  # the expectile .8 lies near the quantile .7
        near = 0.25 * truth[2000:, 2] + 0.75 * truth[2000:, 3]
        return Trained(watch, r2(model(x[2000:])[:, 0], near))


def bins() -> Trained:
    """A number as a distribution over 31 bins, each target spread on its two neighbours."""
    x, y, truth = spread_out(2400)
    places = torch.linspace(-4, 4, 31)
    model = dense(4, 48, 31)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=1e-2)

    def soft(y: Tensor) -> Tensor:
        at = ((y.clamp(-4, 4) + 4) / 8 * 30).clamp(0, 29.999)
        low = at.floor().long()
        share = (at - low)[:, None]
        return (1 - share) * F.one_hot(low, 31) + share * F.one_hot(low + 1, 31)

    with ss.watch(model, optimizer) as watch:
        for chosen in batches(2000, 50, 15):
            target = soft(y[chosen])
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), target), target)
    with torch.no_grad():
        return Trained(watch, r2(model(x[2000:]).softmax(1) @ places, truth[2000:, 2]))


CASES = [
    healthy("five quantiles at once", several),
    healthy("a quantile for any level", any_level),
    healthy("expectiles", expectiles),
    healthy("a number as bins", bins),
]
