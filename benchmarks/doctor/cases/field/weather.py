"""Forecasts of the weather and how sure they are: a spread, ordered classes, fields that move."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def crps(mean: Tensor, spread: Tensor, y: Tensor) -> Tensor:
    """The continuous ranked probability score of a normal distribution, a sample each."""
    z = (y - mean) / spread
    density = torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    below = (1 + torch.erf(z / math.sqrt(2))) / 2
    return spread * (z * (2 * below - 1) + 2 * density - 1 / math.sqrt(math.pi))


def members() -> Trained:
    """Mean and spread of ten forecasts are mended, stations have embeddings; degrees are kept."""
    station, season = torch.randint(0, 12, (2500,)), 6.28 * torch.rand(2500)
    truth = 10 + 8 * season.sin() + 3 * torch.randn(2500)
    bias, noise = 2 * torch.randn(12), 0.5 + torch.rand(12)
    truth = truth + noise[station] * torch.randn(2500)
    forecast = (truth - bias[station])[:, None] + (1 + noise[station])[:, None] * torch.randn(
        2500, 10
    )
    x = torch.stack([forecast.mean(1), forecast.std(1), season.sin(), season.cos()], 1)
    places, body = nn.Embedding(12, 3), dense(7, 24, 2)
    optimizer = torch.optim.Adam([*places.parameters(), *body.parameters()], lr=1e-2)

    def answer(rows: Tensor) -> tuple[Tensor, Tensor]:
        inputs = torch.cat(
            [(x[rows] - x[:2200].mean(0)) / x[:2200].std(0), places(station[rows])], 1
        )
        shift, spread = body(inputs).unbind(1)
        return x[rows, 0] + shift, F.softplus(spread) + 1e-3

    with ss.watch([places, body], optimizer) as watch:
        for chosen in batches(2200, 64, 10):
            descend(watch, optimizer, crps(*answer(chosen), truth[chosen]).mean(), truth[chosen])
    rows = torch.arange(2200, 2500)
    return Trained(watch, r2(answer(rows)[0], truth[rows]))


def rain_in_classes() -> Trained:
    """None, some, much: the ranked probability score compares the cumulative chances."""
    x = torch.randn(2000, 8)
    wet = x[:, 0] + x[:, 1] * x[:, 2] + 0.1 * torch.randn(2000)
    y = (wet > -0.4).long() + (wet > 0.6)
    steps = (torch.arange(3) >= y[:, None]).float()
    model = dense(8, 48, 48, 3, activation=nn.LeakyReLU)
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1700, 50, 14):
            below = model(x[chosen]).softmax(1).cumsum(1)
            loss = (below - steps[chosen]).square().sum(1).mean()
            descend(watch, optimizer, loss, y[chosen])
    with torch.no_grad():
        right = model(x[1700:]).argmax(1) == y[1700:]
    return Trained(watch, float(right.double().mean()))


class Next(nn.Module):
    """What is added to a field on a globe: it goes round in one direction and ends in the other."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.out = nn.Conv2d(2, 12, 3), nn.Conv2d(12, 1, 3)
        nn.init.zeros_(self.out.weight)

    def around(self, x: Tensor) -> Tensor:
        return F.pad(F.pad(x, (1, 1, 0, 0), mode="circular"), (0, 0, 1, 1), mode="replicate")

    def forward(self, field: Tensor, wind: Tensor) -> Tensor:
        h = F.gelu(self.into(self.around(torch.cat([field, wind], 1))))
        return field + self.out(self.around(h))


def fields_that_move() -> Trained:
    """Three hours in a row are forecast from the first and compared with weights by latitude."""
    rows = torch.linspace(-1.2, 1.2, 8)
    wind = (0.6 * rows.cos())[:, None].expand(8, 16)[None, None]
    days = F.avg_pool2d(torch.randn(350, 1, 12, 20), 5, 1) * 4
    series = [days]
    for _ in range(3):
        last = series[-1]
        series.append((1 - wind) * last + wind * last.roll(1, 3))
    weight = (rows.cos() / rows.cos().mean())[:, None]
    model = Next()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(300, 20, 12):
            field, loss = series[0][chosen], torch.zeros(())
            for ahead in range(1, 4):
                field = model(field, wind.expand_as(field))
                loss = loss + (weight * (field - series[ahead][chosen]).square()).mean() / 3
            descend(watch, optimizer, loss, series[3][chosen])
    with torch.no_grad():
        field = series[0][300:]
        for _ in range(3):
            field = model(field, wind.expand_as(field))
    return Trained(watch, r2(field.flatten(), series[3][300:].flatten()))


CASES = [
    healthy("members of an ensemble mended", members),
    healthy("rain in classes of an order", rain_in_classes),
    healthy("fields that move round a globe", fields_that_move),
]
