"""Steps that are too long, too short, or go elsewhere."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn, optim

from benchmarks.doctor.cases.step_faults.further import sets
from benchmarks.doctor.cases.step_faults.plan import (
    Plan,
    above,
    adam,
    explained,
    logits,
    planned,
    sgd,
)
from benchmarks.doctor.data import Data
from benchmarks.doctor.networks import dense


def long_steps(cured: bool) -> Plan:
    model = dense(15, 64, 64, 4, activation=nn.GELU)
    return Plan(sets.factors(), model, F.cross_entropy, sgd(0.1 if cured else 25.0), 20)


def long_adamw(cured: bool) -> Plan:
    lr = 4e-3 if cured else 20.0
    return Plan(
        sets.roll(),
        dense(3, 48, 48, 1),
        F.smooth_l1_loss,
        lambda m: optim.AdamW(m.parameters(), lr),
        30,
        score=explained,
    )


def long_filters(cured: bool) -> Plan:
    lr = 0.05 if cured else 5.0
    model = sets.conv2d(8, 8)
    return Plan(sets.shapes(), model, F.cross_entropy, sgd(lr, momentum=0.9, nesterov=True), 12)


def short_adam(cured: bool) -> Plan:
    lr = 5e-3 if cured else 2e-6
    return Plan(sets.signals(), sets.conv1d(12, 12), F.cross_entropy, adam(lr), 20, loader=True)


def short_adadelta(cured: bool) -> Plan:
    lr = 1.0 if cured else 1e-4
    return Plan(
        sets.hastie(),
        dense(10, 64, 1),
        logits,
        lambda m: optim.Adadelta(m.parameters(), lr),
        25,
        score=above(0),
    )


def short_sgd(cured: bool) -> Plan:
    model = sets.Skips(4, 32, 1)
    lr = 0.05 if cured else 2e-5
    return Plan(sets.resistance(), model, F.mse_loss, sgd(lr), 25, score=explained)


def strong_decay(cured: bool) -> Plan:
    decay = 1e-4 if cured else 1.0
    model = dense(18, 40, 3)
    return Plan(sets.sensors(), model, F.cross_entropy, adam(3e-3, weight_decay=decay), 20, 50)


def strong_decay_pictures(cured: bool) -> Plan:
    decay = 1e-4 if cured else 0.2
    optimizer = sgd(0.05, momentum=0.9, weight_decay=decay)
    return Plan(sets.shapes(), sets.conv2d(8, 8), F.cross_entropy, optimizer, 12)


def large_eps(cured: bool) -> Plan:
    model = dense(10, 60, 1, activation=nn.GELU)
    optimizer = adam(5e-3, eps=1e-8 if cured else 50.0)
    return Plan(sets.hastie(), model, logits, optimizer, 25, score=above(0))


def halved_too_often(cured: bool) -> Plan:
    every = 400 if cured else 4
    return Plan(
        sets.spirals(),
        dense(2, 64, 64, 1),
        logits,
        adam(0.01),
        40,
        score=above(0),
        schedule=lambda o: optim.lr_scheduler.StepLR(o, every, 0.5),
        each_batch=True,
    )


def over_after_one(cured: bool) -> Plan:
    gamma = 0.95 if cured else 0.05
    return Plan(
        sets.signals(),
        sets.conv1d(12, 16),
        F.cross_entropy,
        sgd(0.05, momentum=0.5),
        25,
        schedule=lambda o: optim.lr_scheduler.ExponentialLR(o, gamma),
    )


def nearly_the_same(cured: bool) -> Plan:
    """Two columns that are nearly equal; what is wanted is their difference."""
    draw = torch.Generator().manual_seed(61)
    a, b = torch.randn(800, 1, generator=draw), torch.randn(800, 1, generator=draw)
    x = torch.cat([a, b], 1) if cured else torch.cat([a + 0.02 * b, a - 0.02 * b], 1)
    y = b + 0.3 * a
    data: Data = ((x[:600], y[:600]), (x[600:], y[600:]))
    return Plan(data, nn.Linear(2, 1), F.mse_loss, sgd(0.1), 15, score=explained)


HIGH, LOW = ("learning_rate_too_high",), ("learning_rate_too_low",)
PAIRS = [
    planned("factors: SGD 25", "factors: SGD .1", HIGH, long_steps, 0.8, 0.85),
    planned("roll: AdamW 20", "roll: AdamW .004", HIGH, long_adamw, 0.3, 0.8),
    planned("shapes: Nesterov 5", "shapes: Nesterov .05", HIGH, long_filters, 0.8, 0.85),
    planned("signals: Adam 2e-6", "signals: Adam .005", LOW, short_adam, 0.8, 0.85),
    planned("hastie: Adadelta 1e-4", "hastie: Adadelta 1", LOW, short_adadelta, 0.8, 0.85),
    planned("resistance: SGD 2e-5", "resistance: SGD .05", LOW, short_sgd, 0.3, 0.8),
    planned(
        "sensors: Adam, decay 1",
        "sensors: Adam, decay .0001",
        ("weight_decay_too_strong",),
        strong_decay,
        0.8,
        0.85,
    ),
    planned(
        "shapes: momentum, decay .2",
        "shapes: momentum, decay .0001",
        ("weight_decay_too_strong",),
        strong_decay_pictures,
        0.8,
        0.85,
    ),
    planned(
        "hastie: eps 50", "hastie: eps 1e-8", ("optimizer_setting", *LOW), large_eps, 0.8, 0.85
    ),
    planned(
        "spirals: halved every four batches",
        "spirals: halved every 400 batches",
        ("schedule_collapsed", *LOW),
        halved_too_often,
        0.8,
        0.85,
    ),
    planned(
        "signals: a twentieth each epoch",
        "signals: 5 % less each epoch",
        ("schedule_collapsed", *LOW),
        over_after_one,
        0.8,
        0.85,
    ),
    planned(
        "difference of equals",
        "difference of two",
        ("ill_conditioned", *LOW),
        nearly_the_same,
        0.3,
        0.8,
    ),
]
