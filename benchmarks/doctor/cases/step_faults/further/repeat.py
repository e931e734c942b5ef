"""Data that are raw, in order, wrong, rare, the same again, or unlike what judges."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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


def of_each_class(output: Tensor, y: Tensor) -> float:
    """The mean over the classes of the share that is right."""
    hit = (output.argmax(1) == y).double()
    return float(torch.stack([hit[y == k].mean() for k in range(int(y.max()) + 1)]).mean())


def raw_columns(cured: bool) -> Plan:
    data = sets.resistance(scaled=cured)
    return Plan(data, dense(4, 40, 1), F.mse_loss, sgd(0.01), 30, score=explained)


def raw_answers(cured: bool) -> Plan:
    data = sets.resistance(raw_target=not cured)
    model = dense(4, 32, 32, 1, activation=nn.Tanh)
    return Plan(data, model, F.mse_loss, adam(3e-3), 30, score=explained)


def one_kind_after_another(cured: bool) -> Plan:
    (x, y), valid = sets.signals()
    order = y.argsort(stable=True)
    data: Data = ((x[order], y[order]), valid)
    return Plan(data, sets.conv1d(12, 12), F.cross_entropy, adam(5e-3), 15, shuffle=cured)


def one_state_after_another(cured: bool) -> Plan:
    (x, y), valid = sets.sensors()
    order = y.argsort(stable=True)
    data: Data = ((x[order], y[order]), valid)
    model = dense(18, 40, 3, activation=nn.ELU)
    return Plan(data, model, F.cross_entropy, sgd(0.3), 15, 25, shuffle=cured, loader=True)


def strangers(cured: bool) -> Plan:
    """Answers that belong to other rows."""
    (x, y), valid = sets.factors()
    mixed = y if cured else y[torch.randperm(len(y))]
    model = sets.Skips(15, 40, 4)
    return Plan(((x, mixed), valid), model, F.cross_entropy, adam(3e-3), 20)


def many_turned(cured: bool) -> Plan:
    """Two of five labels are another one."""
    (x, y), valid = sets.factors()
    other = (y + torch.randint(1, 4, y.shape)) % 4
    noisy = y if cured else torch.where(torch.rand(len(y)) < 0.45, other, y)
    model = dense(15, 128, 4)
    return Plan(((x, noisy), valid), model, F.cross_entropy, adam(3e-3), 60)


def hardly_any_slash(cured: bool) -> Plan:
    """Of the last two kinds only a few pictures are left."""
    (x, y), valid = sets.shapes(1600)
    keep = torch.rand(len(y)) < (0.55 if cured else torch.where(y < 2, 1.0, 0.03))
    data: Data = ((x[keep], y[keep]), valid)
    return Plan(data, sets.conv2d(8, 8), F.cross_entropy, adam(4e-3), 10, score=of_each_class)


def judged_in_other_units(cured: bool) -> Plan:
    train, (xv, yv) = sets.sensors()
    data: Data = (train, (xv, yv) if cured else (xv * 3 + 4, yv))
    return Plan(data, dense(18, 40, 3), F.cross_entropy, adam(5e-3), 15)


def always_the_first(cured: bool) -> Plan:
    (x, y), _ = sets.roll()
    first = None if cured else lambda *_: (x[:16], y[:16])
    model = dense(3, 64, 64, 1, activation=nn.SiLU)
    return Plan(sets.roll(), model, F.mse_loss, adam(5e-3), 30, 16, score=explained, on_batch=first)


def single_rows(cured: bool) -> Plan:
    size, lr = (32, 0.1) if cured else (1, 0.1)
    model = dense(15, 48, 48, 4)
    return Plan(
        sets.factors(600), model, F.cross_entropy, sgd(lr, momentum=0.9), 8, size, loader=cured
    )


def a_hole(cured: bool) -> Plan:
    (x, y), valid = sets.tags()
    x = x.clone()
    if not cured:
        x[123, 7] = float("nan")
    return Plan(((x, y), valid), dense(20, 40, 5), logits, adam(3e-3), 12, score=above(0))


def rows_and_pictures_swapped(cured: bool) -> Plan:
    """Read as [height, width, N] and reshaped where the axes should have been moved."""
    (x, y), valid = sets.shapes()
    stored = x[:, 0].permute(1, 2, 0).contiguous()
    images = stored.permute(2, 0, 1)[:, None] if cured else stored.reshape(-1, 1, 12, 12)
    data: Data = ((images.contiguous(), y), valid)
    return Plan(data, sets.conv2d(8, 8), F.cross_entropy, adam(4e-3), 12)


UNSCALED = ("inputs_unscaled",)
PAIRS = [
    planned(
        "resistance: raw columns",
        "resistance: columns of one scale",
        (*UNSCALED, "learning_rate_too_high", "dead_units"),
        raw_columns,
        0.3,
        0.8,
    ),
    planned(
        "resistance: raw answers",
        "resistance: answers of one scale",
        ("targets_unscaled",),
        raw_answers,
        0.3,
        0.8,
    ),
    planned(
        "signals: one kind after another",
        "signals: kinds in turn",
        ("not_shuffled",),
        one_kind_after_another,
        0.86,
        0.85,
    ),
    planned(
        "sensors: one state after another",
        "sensors: states in turn",
        ("not_shuffled",),
        one_state_after_another,
        0.86,
        0.89,
    ),
    planned(
        "factors: answers of other rows",
        "factors: answers of their rows",
        ("labels_unrelated",),
        strangers,
        0.4,
        0.85,
    ),
    planned(
        "factors: 45 % of the labels turned",
        "factors: no label turned",
        ("label_noise", "overfitting"),
        many_turned,
        0.8,
        0.85,
    ),
    planned(
        "shapes: hardly any of two",
        "shapes: four alike",
        ("class_imbalance", "train_valid_mismatch"),
        hardly_any_slash,
        0.8,
        0.85,
    ),
    planned(
        "sensors: judged in other units",
        "sensors: judged in one unit",
        ("train_valid_mismatch",),
        judged_in_other_units,
        0.8,
        0.85,
    ),
    planned(
        "roll: the first sixteen again",
        "roll: all in turn",
        ("same_batch_again",),
        always_the_first,
        0.65,
        0.8,
    ),
    planned(
        "factors: a row each step",
        "factors: 32 rows each step",
        ("batch_too_small", "learning_rate_too_high"),
        single_rows,
        0.7,
        0.85,
    ),
    planned(
        "tags: a hole in row 123",
        "tags: no hole",
        ("inputs_not_finite", "not_finite"),
        a_hole,
        0.5,
        0.8,
    ),
    planned(
        "shapes: rows and pictures swapped",
        "shapes: axes moved",
        ("inputs_scrambled", "train_valid_mismatch", "labels_unrelated"),
        rows_and_pictures_swapped,
        0.5,
        0.85,
    ),
]
