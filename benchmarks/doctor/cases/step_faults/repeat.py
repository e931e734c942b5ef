"""Samples that are not what they should be, or come in the wrong order."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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


def fixed(count: int, seed: int = 0) -> Tensor:
    """A permutation that is the same for every run."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


def times(data: Data, factor: float) -> Data:
    (x, y), (xv, yv) = data
    return (x * factor, y), (xv * factor, yv)


def in_order(data: Data) -> Data:
    """Sorted by class."""
    (x, y), valid = data
    order = y.argsort(stable=True)
    return (x[order], y[order]), valid


def unrelated(data: Data) -> Data:
    """Training targets in an order of their own."""
    (x, y), valid = data
    return (x, y[fixed(len(y))]), valid


def noisy(data: Data, share: float, classes: int) -> Data:
    """A share of the training labels replaced by others."""
    (x, y), valid = data
    draw = torch.Generator().manual_seed(1)
    wrong = torch.rand(len(y), generator=draw) < share
    other = (y + torch.randint(1, classes, y.shape, generator=draw)) % classes
    return (x, torch.where(wrong, other, y)), valid


def raw_pixels(cured: bool) -> Plan:
    data = tables.digits() if cured else times(tables.digits(), 255.0)
    return Plan(data, dense(64, 64, 10), F.cross_entropy, sgd(0.1), 10)


def raw_pictures(cured: bool) -> Plan:
    data = tables.pictures() if cured else times(tables.pictures(), 255.0)
    return Plan(data, conv(8, 16), F.cross_entropy, sgd(0.2), 10, loader=True)


def raw_wine(cured: bool) -> Plan:
    return Plan(tables.wine(scaled=cured), dense(13, 32, 3), F.cross_entropy, sgd(0.05), 25, 16)


def raw_cancer(cured: bool) -> Plan:
    model = dense(30, 32, 16, 1)
    return Plan(tables.cancer(scaled=cured), model, logits, sgd(0.02), 25, score=above(0))


def columns_of_scales(cured: bool) -> Plan:
    """Two of the columns that count are a thousandth, and one that does not is a thousandfold."""
    (x, y), (xv, yv) = tables.friedman()
    factor = torch.ones(10)
    if not cured:
        factor[:4], factor[7] = 1e-3, 1e3
    data = (x * factor, y), (xv * factor, yv)
    return Plan(data, dense(10, 40, 1), F.mse_loss, adam(3e-3), 25, score=explained)


def thousands(cured: bool) -> Plan:
    data = tables.friedman() if cured else tables.friedman(5e3, 2e4)
    return Plan(data, dense(10, 40, 1), F.mse_loss, adam(3e-3), 25, score=explained)


def raw_target(cured: bool) -> Plan:
    model = dense(10, 32, 32, 1, activation=nn.Tanh)
    return Plan(tables.diabetes(scaled=cured), model, F.mse_loss, adam(1e-3), 20, score=explained)


def negatives(cured: bool) -> Plan:
    (x, y), valid = tables.digits()
    xv, yv = valid
    data = ((x - 0.3) / 0.375, y), ((xv - 0.3) / 0.375 if cured else (0.7 - xv) / 0.375, yv)
    return Plan(data, dense(64, 48, 10), F.cross_entropy, adam(3e-3), 10)


def scaled_apart(cured: bool) -> Plan:
    (x, y), (xv, yv) = tables.friedman()
    data = (x, y), (xv if cured else 0.2 * xv + 3.0, yv)
    return Plan(data, dense(10, 40, 1), F.mse_loss, adam(3e-3), 25, score=explained)


def labels_beside(cured: bool) -> Plan:
    (x, y), (xv, yv) = tables.clouds(std=1.0)
    return Plan(
        ((x, y), (xv, yv if cured else (yv + 1) % 5)), dense(6, 32, 5), F.cross_entropy, adam(5e-3)
    )


def labels_permuted(cured: bool) -> Plan:
    (x, y), (xv, yv) = tables.pictures()
    data = (x, y), (xv, yv if cured else yv[fixed(len(yv))])
    return Plan(data, conv(8, 8), F.cross_entropy, adam(3e-3), 12)


def labels_renamed(cured: bool) -> Plan:
    """The classes of the validation data are numbered by another list of names."""
    names = torch.tensor([3, 7, 0, 9, 1, 2, 8, 5, 4, 6])
    (x, y), (xv, yv) = tables.digits()
    data = (x, y), (xv, yv if cured else names[yv])
    return Plan(data, dense(64, 64, 10), F.cross_entropy, sgd(0.2), 12)


def sorted_digits(cured: bool) -> Plan:
    data = tables.digits() if cured else in_order(tables.digits())
    return Plan(data, dense(64, 64, 10), F.cross_entropy, sgd(0.1), 8, shuffle=cured)


def sorted_pictures(cured: bool) -> Plan:
    data = tables.pictures() if cured else in_order(tables.pictures())
    return Plan(data, conv(8, 8), F.cross_entropy, adam(1e-2), 6, 16, shuffle=cured)


def random_labels(cured: bool) -> Plan:
    data = tables.pictures() if cured else unrelated(tables.pictures())
    return Plan(data, conv(8, 16), F.cross_entropy, adam(2e-3), 12)


def random_numbers(cured: bool) -> Plan:
    data = tables.friedman() if cured else unrelated(tables.friedman())
    return Plan(data, dense(10, 40, 40, 1), F.mse_loss, adam(2e-3), 25, score=explained)


def random_answers(cured: bool) -> Plan:
    data = tables.cancer() if cured else unrelated(tables.cancer())
    return Plan(data, dense(30, 32, 1), logits, sgd(0.1), 25, score=above(0))


def half_wrong(cured: bool) -> Plan:
    data = tables.digits() if cured else noisy(tables.digits(), 0.5, 10)
    return Plan(data, dense(64, 128, 10), F.cross_entropy, adam(3e-3), 40)


def third_wrong(cured: bool) -> Plan:
    data = tables.clouds() if cured else noisy(tables.clouds(), 0.4, 5)
    return Plan(data, dense(6, 128, 64, 5), F.cross_entropy, adam(5e-3), 60 if not cured else 15)


def seldom(cured: bool) -> Plan:
    """Of two of the classes 1 in 60 is left."""
    (x, y), valid = tables.digits()
    if not cured:
        keep = (y < 8) | (torch.arange(len(y)) % 50 == 0)
        x, y = x[keep], y[keep]
    return Plan(((x, y), valid), dense(64, 48, 10), F.cross_entropy, sgd(0.1), 8)


def first_batch(cured: bool) -> Plan:
    (x, y), _ = data = tables.digits()
    again = None if cured else lambda *_: (x[:32], y[:32])
    return Plan(data, dense(64, 64, 10), F.cross_entropy, sgd(0.1), 12, on_batch=again)


def missing(cured: bool) -> Plan:
    (x, y), valid = tables.wine()
    if not cured:
        x = x.clone()
        x[11, 4] = float("nan")
    return Plan(((x, y), valid), dense(13, 24, 3), F.cross_entropy, adam(3e-3), 20, 16)


def infinite(cured: bool) -> Plan:
    """The logarithm of a zero in a column."""
    (x, y), valid = tables.friedman()
    if not cured:
        x = x.clone()
        x[40, 2] = float("-inf")
    return Plan(((x, y), valid), dense(10, 32, 1), F.mse_loss, adam(3e-3), 20, score=explained)


def one_at_a_time(cured: bool) -> Plan:
    batch = 32 if cured else 1
    return Plan(
        tables.clouds(),
        dense(6, 48, 5),
        F.cross_entropy,
        sgd(0.05, momentum=0.9),
        4 + 20 * cured,
        batch,
    )


SCALED = ("inputs_unscaled",)
BURST = ("inputs_unscaled", "learning_rate_too_high", "dead_units")
APART = ("train_valid_mismatch",)
UNRELATED = ("labels_unrelated",)
PAIRS = [
    planned("digits: 0 … 255", "digits: 0 … 1", BURST, raw_pixels, 0.7, 0.85),
    planned("pictures: 0 … 255", "pictures: 0 … 1", BURST, raw_pictures, 0.7, 0.8),
    planned("wine: raw", "wine: scaled", BURST, raw_wine, 0.7, 0.85),
    planned("cancer: raw", "cancer: scaled", BURST, raw_cancer, 0.9, 0.92),
    planned(
        "friedman: columns of other scales",
        "friedman: one scale",
        SCALED,
        columns_of_scales,
        0.4,
        0.7,
    ),
    planned(
        "friedman: 20000 ± 5000", "friedman: 0 ± 1", ("targets_unscaled",), thousands, 0.2, 0.7
    ),
    planned("diabetes: 152 ± 77", "diabetes: 0 ± 1", ("targets_unscaled",), raw_target, 0.2, 0.25),
    planned("digits: judged on negatives", "digits: judged alike", APART, negatives, 0.5, 0.85),
    planned(
        "friedman: judged on another scale", "friedman: judged alike", APART, scaled_apart, 0.4, 0.7
    ),
    planned("clouds: labels beside", "clouds: labels right", APART, labels_beside, 0.3, 0.7),
    planned(
        "pictures: judged by shuffled labels",
        "pictures: judged by right ones",
        APART,
        labels_permuted,
        0.3,
        0.85,
    ),
    planned(
        "digits: judged by other names",
        "digits: judged by right names",
        APART,
        labels_renamed,
        0.3,
        0.85,
    ),
    planned("digits: sorted", "digits: mixed", ("not_shuffled",), sorted_digits, 0.6, 0.8),
    planned("pictures: sorted", "pictures: mixed", ("not_shuffled",), sorted_pictures, 0.7, 0.8),
    planned("pictures: labels at random", "pictures: labels", UNRELATED, random_labels, 0.3, 0.85),
    planned(
        "friedman: numbers at random", "friedman: numbers", UNRELATED, random_numbers, 0.2, 0.7
    ),
    planned("cancer: answers at random", "cancer: answers", UNRELATED, random_answers, 0.75, 0.9),
    planned(
        "digits: half of the labels wrong",
        "digits: no label wrong",
        ("label_noise", "overfitting"),
        half_wrong,
        0.8,
        0.9,
    ),
    planned(
        "clouds: 40 % of the labels wrong",
        "clouds: no label wrong",
        ("label_noise", "overfitting"),
        third_wrong,
        0.7,
        0.7,
    ),
    planned(
        "digits: two seldom classes",
        "digits: ten classes alike",
        ("class_imbalance",),
        seldom,
        0.85,
        0.8,
    ),
    planned(
        "digits: one batch again and again",
        "digits: every batch",
        ("same_batch_again", "overfitting"),
        first_batch,
        0.8,
        0.85,
    ),
    planned("wine: one NaN", "wine: no NaN", ("inputs_not_finite",), missing, 0.6, 0.85),
    planned(
        "friedman: one infinity", "friedman: all finite", ("inputs_not_finite",), infinite, 0.2, 0.7
    ),
    planned(
        "clouds: one at a time",
        "clouds: 32 at a time",
        ("batch_too_small", "learning_rate_too_high"),
        one_at_a_time,
        0.85,
        0.87,
    ),
]
