"""Trainings that end too early, learn their rows by heart, or cannot learn more."""

from __future__ import annotations

import torch.nn.functional as F
from torch import nn

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


def first_rows(data: Data, count: int) -> Data:
    """The first `count` samples of what is trained on."""
    (x, y), valid = data
    return (x[:count], y[:count]), valid


def two_rounds(cured: bool) -> Plan:
    epochs = 30 if cured else 2
    model = sets.conv1d(12, 12)
    return Plan(sets.signals(), model, F.cross_entropy, sgd(0.05, momentum=0.8), epochs)


def four_rounds(cured: bool) -> Plan:
    epochs = 60 if cured else 1
    model = dense(3, 48, 48, 1, activation=nn.SiLU)
    return Plan(sets.roll(), model, F.mse_loss, adam(1e-3), epochs, score=explained)


def few_by_heart(cured: bool) -> Plan:
    data = first_rows(sets.hastie(2400), 1800 if cured else 60)
    model = dense(10, 200, 200, 1)
    epochs = 10 if cured else 200
    return Plan(data, model, logits, adam(3e-3), epochs, 20, above(0), loader=True)


def forty_pictures(cured: bool) -> Plan:
    data = first_rows(sets.shapes(), 650 if cured else 40)
    model = sets.conv2d(8, 8)
    return Plan(data, model, F.cross_entropy, adam(3e-3), 15 if cured else 80, loader=True)


def too_straight(cured: bool) -> Plan:
    model = dense(2, 48, 48, 1) if cured else nn.Linear(2, 1)
    return Plan(sets.spirals(), model, logits, adam(0.01), 60, score=above(0))


def too_straight_numbers(cured: bool) -> Plan:
    model = dense(3, 64, 64, 1) if cured else nn.Linear(3, 1)
    return Plan(sets.roll(), model, nn.SmoothL1Loss(), adam(0.01), 40, 50, explained)


PAIRS = [
    planned(
        "signals: two epochs",
        "signals: thirty epochs",
        ("stopped_early", "underfitting"),
        two_rounds,
        0.8,
        0.85,
    ),
    planned(
        "roll: one epoch",
        "roll: sixty epochs",
        ("stopped_early", "underfitting"),
        four_rounds,
        0.3,
        0.8,
    ),
    planned(
        "hastie: sixty rows by heart",
        "hastie: 1800 rows",
        ("overfitting",),
        few_by_heart,
        0.8,
        0.85,
    ),
    planned(
        "shapes: forty pictures by heart",
        "shapes: 650 pictures",
        ("overfitting",),
        forty_pictures,
        0.8,
        0.85,
    ),
    planned(
        "spirals: a line",
        "spirals: two hidden layers",
        ("underfitting", "too_small", "no_nonlinearity"),
        too_straight,
        0.76,
        0.85,
    ),
    planned(
        "roll: a plane",
        "roll: two hidden layers",
        ("underfitting", "too_small", "no_nonlinearity"),
        too_straight_numbers,
        0.5,
        0.85,
    ),
]
