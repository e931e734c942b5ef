"""Outputs, targets and losses that do not belong together."""

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
    right,
    sgd,
)
from benchmarks.doctor.data import Data
from benchmarks.doctor.networks import dense


def as_probability(output: Tensor, y: Tensor) -> float:
    """The share of right answers, read as `sigmoid(output) > .5`."""
    return above(0.5)(torch.sigmoid(output), y)


def nearest_whole(output: Tensor, y: Tensor) -> float:
    """The share of classes that are met by rounding."""
    return float((output.reshape(-1).round() == y.reshape(-1)).double().mean())


def every_label(output: Tensor, y: Tensor) -> float:
    """The share of rows of which all labels are right."""
    return float(((output > 0) == (y > 0.5)).all(1).double().mean())


def chance(output: Tensor, y: Tensor) -> Tensor:
    """The mean chance that is given to the right class."""
    return output.softmax(1).gather(1, y[:, None]).mean()


def softmax_before(cured: bool) -> Plan:
    model = sets.conv2d(8, 12)
    if not cured:
        model.append(nn.Softmax(dim=-1))
    return Plan(sets.shapes(), model, nn.CrossEntropyLoss(), sgd(0.06, momentum=0.8), 12, 30)


def sigmoid_before(cured: bool) -> Plan:
    model = dense(10, 64, 1, activation=nn.ELU, end=None if cured else nn.Sigmoid())
    return Plan(sets.hastie(), model, nn.BCEWithLogitsLoss(), adam(5e-3), 25, score=as_probability)


def one_of_several(cured: bool) -> Plan:
    loss_fn = logits if cured else F.cross_entropy
    return Plan(sets.tags(), dense(20, 48, 5), loss_fn, adam(3e-3), 20, score=every_label)


def row_against_column(cured: bool) -> Plan:
    (x, y), (xv, yv) = sets.roll()
    data: Data = ((x, y), (xv, yv)) if cured else ((x, y[:, 0]), (xv, yv[:, 0]))
    return Plan(data, sets.Skips(3, 32, 1), nn.HuberLoss(), adam(4e-3), 30, 50, explained)


def less_chance(cured: bool) -> Plan:
    sign = -1 if cured else 1
    model = dense(15, 40, 4, activation=nn.Tanh)
    return Plan(sets.factors(), model, lambda o, t: sign * chance(o, t), adam(5e-3), 15)


def sum_of_squares(cured: bool) -> Plan:
    loss_fn = nn.MSELoss(reduction="mean" if cured else "sum")
    return Plan(sets.sparse(), dense(10, 50, 1), loss_fn, sgd(0.05), 25, 100, explained)


def angle_beyond(cured: bool) -> Plan:
    """Degrees, and an output that ends at one."""
    (x, y), (xv, yv) = sets.phase()
    y, yv = (y - 1.3) * 12, (yv - 1.3) * 12
    model = dense(4, 40, 1, end=None if cured else nn.Tanh())
    return Plan(((x, y), (xv, yv)), model, nn.MSELoss(), adam(0.01), 40, score=explained)


def number_of_class(cured: bool) -> Plan:
    (x, y), (xv, yv) = sets.shapes()
    if cured:
        return Plan(((x, y), (xv, yv)), sets.conv2d(8, 8), F.cross_entropy, adam(3e-3), 12)
    data: Data = ((x, y[:, None].float()), (xv, yv[:, None].float()))
    model = sets.conv2d(8, 8, classes=1)
    return Plan(data, model, F.mse_loss, adam(3e-3), 12, score=nearest_whole)


def chances_for_logarithms(cured: bool) -> Plan:
    model = dense(18, 24, 24, 3, end=nn.LogSoftmax(1) if cured else nn.Softmax(1))
    return Plan(sets.sensors(), model, nn.NLLLoss(), sgd(0.05), 10, 25, right)


MISMATCH = ("output_loss_mismatch",)
PAIRS = [
    planned(
        "shapes: softmax before cross-entropy",
        "shapes: cross-entropy of logits",
        MISMATCH,
        softmax_before,
        0.8,
        0.85,
    ),
    planned(
        "hastie: sigmoid before and after",
        "hastie: sigmoid after",
        MISMATCH,
        sigmoid_before,
        0.8,
        0.85,
    ),
    planned(
        "tags: softmax over all",
        "tags: sigmoid for each",
        ("loss_unsuited", *MISMATCH),
        one_of_several,
        0.4,
        0.45,
    ),
    planned(
        "roll: rows against columns",
        "roll: columns against columns",
        ("target_shape_mismatch",),
        row_against_column,
        0.3,
        0.8,
    ),
    planned(
        "factors: less chance for the right class",
        "factors: more chance for the right class",
        ("loss_sign",),
        less_chance,
        0.3,
        0.8,
    ),
    planned(
        "sparse: squares summed",
        "sparse: mean of squares",
        ("loss_scale", "learning_rate_too_high"),
        sum_of_squares,
        0.3,
        0.6,
    ),
    planned(
        "phase: tanh of ± 4",
        "phase: numbers of ± 4",
        ("target_out_of_range", *MISMATCH, "saturated_units"),
        angle_beyond,
        0.45,
        0.8,
    ),
    planned(
        "shapes: the number of the class",
        "shapes: a class",
        ("loss_unsuited",),
        number_of_class,
        0.7,
        0.8,
    ),
    planned(
        "sensors: chances for logarithms",
        "sensors: logarithms of chances",
        MISMATCH,
        chances_for_logarithms,
        0.7,
        0.8,
    ),
]
