"""Regressions, by losses for the kind of number."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def table(count: int, noise: float) -> tuple[Tensor, Tensor]:
    """Eight columns, and a number that hangs on some of them in a curve."""
    x = torch.randn(count, 8)
    signal = torch.sin(x[:, 0]) + 0.5 * x[:, 1] * x[:, 2] + 0.5 * x[:, 3]
    return x, (signal + noise * torch.randn(count))[:, None]


def huber() -> Trained:
    (x, y), (xv, yv) = data.mpg()
    model = dense(9, 48, 48, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    loss_fn = nn.HuberLoss(delta=0.5)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 32, 40):
            descend(watch, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    data_ = {"train": (x, y), "valid": (xv, yv), "loss_fn": loss_fn}
    return Trained(watch, r2(model(xv), yv), data_)


def quantiles() -> Trained:
    """Three quantiles at once: outputs [B, 3], targets [B, 1]."""
    x, y = table(1500, 0.5)
    levels = torch.tensor([0.1, 0.5, 0.9])
    model = dense(8, 64, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        error = target - output
        return torch.maximum(levels * error, (levels - 1) * error).mean()

    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 50, 20):
            descend(watch, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    score = r2(model(x[1200:])[:, 1:2], y[1200:])
    return Trained(
        watch,
        score,
        {"train": (x[:1200], y[:1200]), "valid": (x[1200:], y[1200:]), "loss_fn": loss_fn},
    )


def counts() -> Trained:
    """Counts, by the log of their rate."""
    x = torch.rand(1500, 4) * 2 - 1
    y = torch.poisson(torch.exp(0.5 + 1.5 * x[:, :1] + x[:, 1:2] * x[:, 2:3]))
    model = dense(4, 32, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    loss_fn = nn.PoissonNLLLoss()
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 50, 20):
            descend(watch, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    score = r2(model(x[1200:]).exp(), y[1200:])
    return Trained(
        watch,
        score,
        {"train": (x[:1200], y[:1200]), "valid": (x[1200:], y[1200:]), "loss_fn": loss_fn},
    )


def mostly_noise() -> Trained:
    """Of the numbers no more than a third can be told."""
    x = torch.randn(3000, 6)
    y = (x @ torch.tensor([0.5, -0.4, 0.3, 0.0, 0.0, 0.0]) + torch.randn(3000))[:, None]
    model = dense(6, 16, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(2400, 64, 12):
            descend(watch, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
    score = r2(model(x[2400:]), y[2400:]) / 0.33
    return Trained(
        watch,
        score,
        {"train": (x[:2400], y[:2400]), "valid": (x[2400:], y[2400:]), "loss_fn": F.mse_loss},
    )


def levels() -> Trained:
    """Four classes in order, as three questions "more than k?"."""
    x, value = table(1500, 0.2)
    y = torch.bucketize(value[:, 0], torch.tensor([-0.8, 0.0, 0.8]))
    more = (y[:, None] > torch.arange(3)).float()
    model = dense(8, 48, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 50, 20):
            loss = F.binary_cross_entropy_with_logits(model(x[chosen]), more[chosen])
            descend(watch, optimizer, loss, more[chosen])
    with torch.no_grad():
        answer = (model(x[1200:]) > 0).sum(1)
    score = float(((answer - y[1200:]).abs() <= 1).double().mean())
    return Trained(
        watch, score, {"train": (x[:1200], more[:1200]), "valid": (x[1200:], more[1200:])}
    )


CASES = [
    healthy("Huber loss", huber),
    healthy("quantiles", quantiles),
    healthy("counts, Poisson", counts),
    healthy("numbers that are mostly noise", mostly_noise),
    healthy("classes in order", levels),
]
