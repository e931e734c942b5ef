"""Trainings that end too soon, or learn by heart."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn, optim

from benchmarks.doctor.cases.step_faults import tables
from benchmarks.doctor.cases.step_faults.plan import (
    Plan,
    above,
    adam,
    conv,
    explained,
    logits,
    planned,
    sgd,
)
from benchmarks.doctor.data import Data
from benchmarks.doctor.networks import dense


def first(data: Data, count: int) -> Data:
    """The first `count` of the training samples."""
    (x, y), valid = data
    return (x[:count], y[:count]), valid


def few_epochs(cured: bool) -> Plan:
    return Plan(tables.digits(), dense(64, 48, 10), F.cross_entropy, sgd(0.05), 30 if cured else 2)


def few_epochs_numbers(cured: bool) -> Plan:
    return Plan(
        tables.friedman(),
        dense(10, 40, 1),
        F.mse_loss,
        adam(1e-3),
        60 if cured else 3,
        score=explained,
    )


def one_epoch_of_pictures(cured: bool) -> Plan:
    return Plan(tables.pictures(), conv(8, 16), F.cross_entropy, adam(1e-3), 20 if cured else 1)


def by_heart_digits(cured: bool) -> Plan:
    data = tables.digits() if cured else first(tables.digits(), 60)
    return Plan(data, dense(64, 256, 256, 10), F.cross_entropy, adam(2e-3), 15 if cured else 80)


def by_heart_numbers(cured: bool) -> Plan:
    data = tables.friedman() if cured else first(tables.friedman(), 40)
    epochs = 20 if cured else 200
    return Plan(
        data,
        dense(10, 128, 128, 1),
        F.mse_loss,
        adam(2e-3),
        epochs,
        16 if not cured else 32,
        explained,
        loader=True,
    )


def by_heart_labels(cured: bool) -> Plan:
    """Six labels, of a third of which the training data is wrong by chance."""
    data = tables.several_labels() if cured else first(tables.several_labels(), 40)
    return Plan(
        data,
        dense(12, 200, 200, 6),
        logits,
        adam(3e-3),
        12 if cured else 80,
        score=above(0),
        loader=True,
    )


def too_plain(cured: bool) -> Plan:
    model = dense(4, 40, 3) if cured else nn.Linear(4, 3)
    return Plan(
        tables.quantiles(), model, F.cross_entropy, lambda m: optim.Adam(m.parameters(), 1e-2), 40
    )


def too_plain_moons(cured: bool) -> Plan:
    """Four classes in a checkerboard, told from one another by a line or by a network."""
    x = torch.rand(900, 2) * 4 - 2
    y = ((x > 0).sum(1) % 2).float()[:, None]
    data = (x[:700], y[:700]), (x[700:], y[700:])
    model = dense(2, 32, 1) if cured else nn.Linear(2, 1)
    return Plan(data, model, logits, adam(2e-2), 30, score=above(0))


HEART = ("overfitting",)
EARLY = ("stopped_early", "learning_rate_too_low")
PLAIN = ("too_small", "underfitting", "no_nonlinearity")
PAIRS = [
    planned("digits: two epochs", "digits: thirty epochs", EARLY, few_epochs, 0.75, 0.88),
    planned(
        "friedman: three epochs", "friedman: sixty epochs", EARLY, few_epochs_numbers, 0.5, 0.7
    ),
    planned(
        "pictures: one epoch", "pictures: twenty epochs", EARLY, one_epoch_of_pictures, 0.6, 0.85
    ),
    planned("digits: sixty by heart", "digits: all of them", HEART, by_heart_digits, 0.88, 0.92),
    planned(
        "friedman: forty by heart", "friedman: all of them", HEART, by_heart_numbers, 0.66, 0.8
    ),
    planned("labels: forty by heart", "labels: all of them", HEART, by_heart_labels, 0.88, 0.92),
    planned("shells: a linear layer", "shells: a hidden layer", PLAIN, too_plain, 0.6, 0.75),
    planned("quarters: a line", "quarters: a hidden layer", PLAIN, too_plain_moons, 0.7, 0.85),
]
