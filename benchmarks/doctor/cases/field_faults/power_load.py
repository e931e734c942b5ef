"""Forecasts of how much power a town will draw."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known
from benchmarks.doctor.networks import dense


def days(count: int) -> tuple[Tensor, Tensor]:
    """Windows of 24 hours and the hour six after, about 0. [N, 24], [N, 1]"""
    hour = torch.rand(count, 1) * 24 + torch.arange(30.0)
    height = 0.5 + torch.rand(count, 1)
    load = height * torch.sin(hour * 2 * torch.pi / 24) + 0.05 * torch.randn(count, 30)
    return load[:, :24], load[:, 29:]


def forecast(cured: bool, watch: Watch, model: nn.Module, x: Tensor, y: Tensor) -> Trained:
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:1000], y[:1000], 15)
    score = explained(model(x[1000:]), y[1000:])
    return Trained(watching, score, known(x, y, 1000, F.mse_loss))


def load_below_the_mean(cured: bool, watch: Watch) -> Trained:
    """Loads are standardised, and the last layer ends in a ReLU since loads are positive."""
    x, y = days(1200)
    model = dense(24, 32, 1, end=None if cured else nn.ReLU())
    return forecast(cured, watch, model, x, y)


def rate_decayed_by_the_step(cured: bool, watch: Watch) -> Trained:
    """A decay meant for epochs, called in every step."""
    x, y = days(1200)
    model = dense(24, 32, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.6)
    with watch(model, optimizer) as watching:
        for _ in range(12):
            for chosen in batches(1000, 32, 1):
                descend(watching, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
                if not cured:
                    schedule.step()
            if cured:
                schedule.step()
    score = explained(model(x[1000:]), y[1000:])
    return Trained(watching, score, known(x, y, 1000, F.mse_loss))


def cleared_before_the_step(cured: bool, watch: Watch) -> Trained:
    x, y = days(1200)
    model = dense(24, 32, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 32, 12):
            if cured:
                optimizer.zero_grad()
            loss = F.l1_loss(model(x[chosen]), y[chosen])
            loss.backward()
            if not cured:
                optimizer.zero_grad()
            optimizer.step()
            watching.step(loss, target=y[chosen])
    score = explained(model(x[1000:]), y[1000:])
    return Trained(watching, score, known(x, y, 1000, F.l1_loss))


def the_first_weather_only(cured: bool, watch: Watch) -> Trained:
    """`next(iter(loader))` of a loader that does not shuffle gives one batch for ever."""
    x = torch.randn(1200, 6)  # weather
    y = x[:, :1] * x[:, 1:2] + x[:, 2:3]
    model = dense(6, 48, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 16, 10):
            rows = chosen if cured else torch.arange(16)
            descend(watching, optimizer, F.mse_loss(model(x[rows]), y[rows]), y[rows])
    score = explained(model(x[1000:]), y[1000:])
    return Trained(watching, score, known(x, y, 1000, F.mse_loss))


PAIRS = [
    Pair(
        "standardised loads forecast by a ReLU",
        "standardised loads forecast by a linear layer",
        ("output_loss_mismatch", "target_out_of_range"),
        load_below_the_mean,
        0.75,
        0.9,
    ),
    Pair(
        "a load's rate decayed by the step",
        "a load's rate decayed by the epoch",
        ("schedule_collapsed",),
        rate_decayed_by_the_step,
        0.75,
        0.9,
    ),
    Pair(
        "a load's gradient cleared before the step",
        "a load's gradient cleared before the next",
        ("gradient_discarded",),
        cleared_before_the_step,
        0.3,
        0.9,
    ),
    Pair(
        "the first weather of a loader again and again",
        "all the weather of a loader",
        ("same_batch_again",),
        the_first_weather_only,
        0.8,
        0.9,
    ),
]
