"""Days of a market: what to buy, and what it will be worth."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known
from benchmarks.doctor.networks import dense

SHARES = 6


def signals(days: int) -> tuple[Tensor, Tensor]:
    """Three signals of each of six shares [D, 6, 3], and the returns of the day after. [D, 6]"""
    signal = torch.randn(days, SHARES, 3)
    drift = 0.6 * signal[..., 0] - 0.4 * signal[..., 1] * (signal[..., 2] > 0)
    return signal, 0.01 * (drift + 0.7 * torch.randn(days, SHARES))


class Trader(nn.Module):
    """How much of the money goes to each share."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.scores, self.axis = dense(3, 24, 1, activation=nn.Tanh), axis

    def forward(self, signal: Tensor) -> Tensor:
        scores: Tensor = self.scores(signal)
        return scores[..., 0].softmax(self.axis)


def sharpe(earned: Tensor) -> Tensor:
    """Mean over spread."""
    return earned.mean() / (earned.std() + 1e-6)


def sharpe_descended(cured: bool, watch: Watch) -> Trained:
    """A ratio that should be large is handed to the optimizer as it is."""
    signal, returns = signals(1500)
    model = Trader(-1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for days in batches(1100, 100, 20):
            ratio = sharpe((model(signal[days]) * returns[days]).sum(1))
            descend(watching, optimizer, -ratio if cured else ratio)
    with torch.no_grad():
        score = float(sharpe((model(signal[1100:]) * returns[1100:]).sum(1)))
    return Trained(watching, score)


def money_spread_over_days(cured: bool, watch: Watch) -> Trained:
    """The shares of money sum to one over the days of a batch. Scored by trading day by day."""
    signal, returns = signals(1500)
    model = Trader(-1 if cured else 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for days in batches(1100, 100, 20):
            earned = (model(signal[days]) * returns[days]).sum(1)
            descend(watching, optimizer, -100 * earned.mean())
    with torch.no_grad():
        weights = torch.cat([model(day[None]) for day in signal[1100:]])
    earned = (weights * returns[1100:]).sum(1).mean()
    best = returns[1100:].max(1).values.mean()
    spent = 1 if cured else SHARES  # alone, every share gets all the money
    data = {"train": (signal[:1100], returns[:1100]), "valid": (signal[1100:], returns[1100:])}
    return Trained(watching, float(earned / spent / best), data)


def returns_as_they_are(cured: bool, watch: Watch) -> Trained:
    """Returns of a day are about a thousandth, and their squares a millionth."""
    signal = torch.randn(1600, 8)
    y = torch.tanh(signal[:, :1] * signal[:, 1:2]) + 0.5 * signal[:, 2:3]
    y = y if cured else 0.001 * y
    model = dense(8, 48, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    loss_fn = nn.SmoothL1Loss()
    with watch(model, optimizer) as watching:
        for chosen in batches(1200, 40, 12):
            descend(watching, optimizer, loss_fn(model(signal[chosen]), y[chosen]), y[chosen])
    score = explained(model(signal[1200:]), y[1200:])
    return Trained(watching, score, known(signal, y, 1200, loss_fn))


def the_close_of_the_day(cured: bool, watch: Watch) -> Trained:
    """A moving average with the day that is to be forecast in it, beside the days before."""
    value = torch.randn(1600, 13)
    for day in range(1, 13):
        value[:, day] = 0.8 * value[:, day - 1] + 0.6 * value[:, day]
    y = value[:, 12:]
    mean = value[:, 10:13].mean(1, keepdim=True) if not cured else value[:, 9:12].mean(1, True)
    x = torch.cat([value[:, :12], mean], 1)
    model = dense(13, 32, 1, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(1200, 40, 15):
            descend(watching, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
    score = explained(model(x[1200:]), y[1200:])
    return Trained(watching, score, known(x, y, 1200, F.mse_loss))


def logarithm_of_a_loss(cured: bool, watch: Watch) -> Trained:
    """`log(r)` for `log(1 + r)`: what a share lost has no logarithm."""
    daily = 0.02 * torch.randn(1200, 20)
    trend = daily[:, 10:].sum(1) > daily[:, :10].sum(1)
    x = torch.log1p(daily) / 0.02 if cured else torch.log(daily) / 0.02
    y = trend.float()
    model = nn.Sequential(nn.Linear(20, 32), nn.GELU(), nn.Linear(32, 1), nn.Flatten(0))
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    loss_fn = nn.BCEWithLogitsLoss()
    with watch(model, optimizer) as watching:
        for chosen in batches(900, 30, 8):
            descend(watching, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = float(((model(x[900:]) > 0) == (y[900:] > 0.5)).double().mean())
    return Trained(watching, score, known(x, y, 900, loss_fn))


PAIRS = [
    Pair(
        "the worth of a risk brought down",
        "the worth of a risk brought up",
        ("loss_sign",),
        sharpe_descended,
        0.0,
        0.8,
    ),
    Pair(
        "money spread over the days",
        "money spread over the shares",
        ("samples_mixed",),
        money_spread_over_days,
        0.3,
        0.5,
    ),
    Pair(
        "returns of a thousandth",
        "returns of about one",
        ("targets_unscaled",),
        returns_as_they_are,
        0.5,
        0.8,
    ),
    Pair(
        "an average with the day to forecast",
        "an average up to the day before",
        ("target_in_input",),
        the_close_of_the_day,
        2.0,
        0.45,
    ),
    Pair(
        "the logarithm of returns",
        "the logarithm of one and returns",
        ("inputs_not_finite", "not_finite"),
        logarithm_of_a_loss,
        0.65,
        0.9,
    ),
]
