"""Half precision, averaged weights, and schedules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy
from benchmarks.doctor.networks import dense


def half() -> Trained:
    """Weights, inputs and outputs in bf16."""
    (x, y), (xv, yv) = data.digits()
    x, xv = x.bfloat16(), xv.bfloat16()
    model = dense(64, 64, 10).bfloat16()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 8):
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, xv, yv), known)


def averaged() -> Trained:
    """An exponential average of the weights, which is judged."""
    (x, y), (xv, yv) = data.digits()
    model = dense(64, 64, 10)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.98))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 8):
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
            average.update_parameters(model)
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(average, xv, yv), known)


def scheduled(schedule: Callable[[Any], Any], lr: float) -> Trained:
    (x, y), (xv, yv) = data.digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    scheduler = schedule(optimizer)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 8):
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
            scheduler.step()
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, xv, yv), known)


CASES = [
    healthy("bf16", half),
    healthy("averaged weights", averaged),
    healthy(
        "one cycle",
        lambda: scheduled(lambda o: OneCycleLR(o, 0.2, total_steps=8 * 26), 0.2),
    ),
    healthy(
        "cosine with restarts",
        lambda: scheduled(lambda o: CosineAnnealingWarmRestarts(o, 52), 0.1),
    ),
]
