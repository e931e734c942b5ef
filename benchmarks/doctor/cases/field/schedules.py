"""Rates that move on purpose: a slow start, restarts, a long end near 0, small ones for long."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, TensorDataset

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import (
    Trained,
    accuracy,
    batches,
    descend,
    healthy,
    r2,
)
from benchmarks.doctor.networks import dense


def small_and_long() -> Trained:
    """SGD .005, 120 epochs; each step is short, and there are many."""
    (x, y), (xv, yv) = data.digits()
    model = dense(64, 64, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=5e-3, momentum=0.9)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 120):
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    return Trained(watch, accuracy(model, xv, yv), {"train": (x, y), "valid": (xv, yv)})


def half_of_it_warm_up() -> Trained:
    """The rate rises for half of the training, and falls as a cosine in the other."""
    (x, y), (xv, yv) = data.digits()
    model = nn.Sequential(nn.Linear(64, 96), nn.LayerNorm(96), nn.GELU(), nn.Linear(96, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.05)
    total = 20 * math.ceil(len(x) / 50)

    def rate(step: int) -> float:
        half = total // 2
        return (step + 1) / half if step < half else (1 + math.cos(math.pi * (step / half - 1))) / 2

    schedule = lr_scheduler.LambdaLR(optimizer, rate)
    with ss.watch(model, optimizer) as watch:
        for xb, yb in (
            batch
            for _ in range(20)
            for batch in DataLoader(TensorDataset(x, y), batch_size=50, shuffle=True)
        ):
            descend(watch, optimizer, F.cross_entropy(model(xb), yb), yb)
            schedule.step()
    return Trained(watch, accuracy(model, xv, yv), {"train": (x, y), "valid": (xv, yv)})


def restarts() -> Trained:
    """A cosine that starts again, three times; the loss jumps with it."""
    (x, y), (xv, yv) = data.mpg()
    model = dense(9, 48, 48, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    schedule = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=8, T_mult=2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(56):
            for chosen in torch.randperm(len(x)).split(25):
                descend(watch, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
            schedule.step()
    return Trained(watch, r2(model(xv), yv), {"train": (x, y), "valid": (xv, yv)})


def once_up_and_down() -> Trained:
    """One cycle to a rate that would be too high for long, and a tail at a ten-thousandth."""
    (x, y), (xv, yv) = data.digits()
    x, xv = x.view(-1, 1, 8, 8), xv.view(-1, 1, 8, 8)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 24, 3, padding=1, bias=False), nn.BatchNorm2d(24), nn.ReLU(),
        nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(96, 10),
    )  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    steps = math.ceil(len(x) / 64)
    schedule = lr_scheduler.OneCycleLR(optimizer, 0.4, epochs=10, steps_per_epoch=steps)
    with ss.watch(model, optimizer) as watch:
        for _ in range(10):
            model.train()
            for chosen in torch.randperm(len(x)).split(64):
                descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
                schedule.step()
            with torch.no_grad():
                loss = float(F.cross_entropy(model.eval()(xv), yv))
            watch.valid(loss=loss, score=accuracy(model, xv, yv))
    return Trained(watch, accuracy(model, xv, yv), {"train": (x, y), "valid": (xv, yv)})


def on_a_plateau() -> Trained:
    """Halved whenever the validation loss stands still, down to next to nothing."""
    (x, y), (xv, yv) = data.mpg()
    model = dense(9, 64, 1, activation=nn.SiLU)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    with ss.watch(model, optimizer) as watch:
        for _ in range(50):
            for chosen in torch.randperm(len(x)).split(25):
                descend(watch, optimizer, F.l1_loss(model(x[chosen]), y[chosen]), y[chosen])
            with torch.no_grad():
                loss: Tensor = F.l1_loss(model(xv), yv)
            schedule.step(loss)
            watch.valid(loss=float(loss))
    return Trained(watch, r2(model(xv), yv), {"train": (x, y), "valid": (xv, yv)})


CASES = [
    healthy("small steps for long", small_and_long),
    healthy("warm-up for half of it", half_of_it_warm_up),
    healthy("a cosine that starts again", restarts),
    healthy("once up and down", once_up_and_down),
    healthy("halved on plateaus", on_a_plateau),
]
