"""Outputs, losses and targets that do not fit each other."""

from __future__ import annotations

from collections.abc import Callable

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
    right,
    sgd,
)
from benchmarks.doctor.data import Data
from benchmarks.doctor.networks import dense


class Ended(nn.Module):
    """A hidden layer, and a function at the end."""

    def __init__(
        self, inputs: int, width: int, outputs: int, end: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        super().__init__()
        self.hidden, self.out, self.end = nn.Linear(inputs, width), nn.Linear(width, outputs), end

    def forward(self, x: Tensor) -> Tensor:
        o = self.out(F.gelu(self.hidden(x)))
        return o if self.end is None else self.end(o)


def flat(data: Data) -> Data:
    """Targets [N] for [N, 1]."""
    (x, y), (xv, yv) = data
    return (x, y[:, 0]), (xv, yv[:, 0])


def numbered(data: Data) -> Data:
    """Classes as numbers [N, 1]."""
    (x, y), (xv, yv) = data
    return (x, y[:, None].float()), (xv, yv[:, None].float())


def rounded(output: Tensor, y: Tensor) -> float:
    """The share of numbers that are the class when rounded."""
    return float((output.round().reshape(-1) == y.reshape(-1)).double().mean())


def double_softmax(cured: bool) -> Plan:
    model = conv(8, 16, end=None if cured else nn.Softmax(1))
    return Plan(tables.pictures(), model, F.cross_entropy, sgd(0.1), 10)


def double_softmax_function(cured: bool) -> Plan:
    model = Ended(13, 32, 3, None if cured else lambda o: F.softmax(o, -1))
    return Plan(tables.wine(), model, nn.CrossEntropyLoss(), adam(2e-3), 20, 16, loader=True)


def double_sigmoid(cured: bool) -> Plan:
    model = Ended(12, 48, 6, None if cured else torch.sigmoid)
    return Plan(
        tables.several_labels(),
        model,
        nn.BCEWithLogitsLoss(),
        adam(5e-3),
        20,
        score=above(0 if cured else 0.5),
    )


def softmax_of_one(cured: bool) -> Plan:
    model = Ended(30, 24, 1, torch.sigmoid if cured else lambda o: torch.softmax(o, 1))
    return Plan(tables.cancer(), model, nn.BCELoss(), adam(5e-3), 15, score=above(0.5))


def softmax_of_one_number(cured: bool) -> Plan:
    model = dense(10, 40, 1, end=None if cured else nn.Softmax(dim=1))
    return Plan(tables.diabetes(), model, F.mse_loss, adam(5e-3), 20, score=explained)


def sigmoid_of_hundreds(cured: bool) -> Plan:
    model = dense(10, 32, 1, end=None if cured else nn.Sigmoid())
    return Plan(tables.friedman(3.0, 14.0), model, F.mse_loss, adam(1e-2), 40, score=explained)


def tanh_of_twenties(cured: bool) -> Plan:
    model = Ended(10, 48, 1, None if cured else torch.tanh)
    return Plan(tables.friedman(6.0), model, F.smooth_l1_loss, adam(1e-2), 30, score=explained)


def over_the_batch(cured: bool) -> Plan:
    model = Ended(6, 64, 5, lambda o: F.log_softmax(o, dim=1 if cured else 0))
    return Plan(tables.clouds(), model, nn.NLLLoss(), sgd(0.1), 12, 48)


def no_logarithm(cured: bool) -> Plan:
    end = (lambda o: F.log_softmax(o, 1)) if cured else (lambda o: F.softmax(o, 1))
    return Plan(tables.digits(), Ended(64, 48, 10, end), F.nll_loss, sgd(0.1), 10)


def logits_to_nll(cured: bool) -> Plan:
    model = dense(4, 24, 3, end=nn.LogSoftmax(1) if cured else None)
    return Plan(tables.iris(), model, nn.NLLLoss(), sgd(0.05), 60, 16)


def clipped_classes(cured: bool) -> Plan:
    model = dense(64, 32, 32, 10, end=None if cured else nn.ReLU())
    return Plan(tables.digits(), model, F.cross_entropy, sgd(0.3), 15)


def clipped_numbers(cured: bool) -> Plan:
    model = Ended(10, 40, 1, None if cured else F.relu)
    return Plan(tables.friedman(), model, nn.L1Loss(), adam(5e-3), 25, score=explained)


def column_against_row(cured: bool) -> Plan:
    data = tables.friedman() if cured else flat(tables.friedman())
    return Plan(data, dense(10, 40, 1), F.mse_loss, adam(5e-3), 20, score=explained)


def column_against_row_by_hand(cured: bool) -> Plan:
    data = tables.diabetes() if cured else flat(tables.diabetes())
    return Plan(
        data,
        dense(10, 16, 1, activation=nn.Tanh),
        lambda o, t: (o - t).abs().mean(),
        sgd(0.05),
        score=explained,
    )


def one_output(cured: bool) -> Plan:
    return Plan(
        tables.ones(),
        dense(64, 32, 1),
        logits if cured else F.cross_entropy,
        adam(3e-3),
        10,
        score=above(0),
    )


def class_numbers(cured: bool) -> Plan:
    data = tables.clouds(8) if cured else numbered(tables.clouds(8))
    return Plan(
        data,
        dense(6, 48, 8 if cured else 1),
        F.cross_entropy if cured else nn.MSELoss(),
        adam(5e-3),
        20,
        score=right if cured else rounded,
    )


def plus_and_minus(cured: bool) -> Plan:
    (x, y), (xv, yv) = tables.cancer()
    data = ((x, y), (xv, yv)) if cured else ((x, 2 * y - 1), (xv, 2 * yv - 1))
    return Plan(data, dense(30, 24, 1), logits, adam(5e-3), 20, score=above(0))


def percent(cured: bool) -> Plan:
    """Probabilities given as 0 … 100."""
    (x, y), (xv, yv) = tables.moons()
    data = ((x, y), (xv, yv)) if cured else ((x, 100 * y), (xv, 100 * yv))
    return Plan(data, dense(2, 32, 1), logits, adam(1e-2), 25, score=above(0))


def negated(cured: bool) -> Plan:
    sign = 1 if cured else -1
    return Plan(
        tables.friedman(),
        dense(10, 32, 1),
        lambda o, t: sign * F.mse_loss(o, t),
        adam(3e-3),
        15,
        score=explained,
    )


def ascended(cured: bool) -> Plan:
    return Plan(
        tables.wine(), dense(13, 24, 3), F.cross_entropy, adam(3e-3, maximize=not cured), 20, 16
    )


def likelihood(cured: bool) -> Plan:
    """The log-likelihood is to grow, and is what is descended."""
    sign = -1 if cured else 1
    return Plan(
        tables.digits(),
        dense(64, 40, 10),
        lambda o, t: sign * o.log_softmax(1).gather(1, t[:, None]).mean(),
        sgd(0.1),
        8,
    )


def summed(cured: bool) -> Plan:
    how = "mean" if cured else "sum"
    return Plan(
        tables.friedman(),
        dense(10, 32, 32, 1),
        nn.MSELoss(reduction=how),
        sgd(0.05),
        20,
        64,
        explained,
    )


def summed_classes(cured: bool) -> Plan:
    loss_fn = nn.CrossEntropyLoss(reduction="mean" if cured else "sum")
    return Plan(tables.pictures(), conv(8, 8), loss_fn, sgd(0.1), 12, 64)


MISMATCH = ("output_loss_mismatch",)
RANGE = ("target_out_of_range", "output_loss_mismatch", "saturated_units")
SCALE = ("loss_scale", "learning_rate_too_high")
PAIRS = [
    planned(
        "pictures: softmax twice", "pictures: softmax once", MISMATCH, double_softmax, 2.0, 0.7
    ),
    planned(
        "wine: softmax as a function, twice",
        "wine: softmax once",
        MISMATCH,
        double_softmax_function,
        2.0,
        0.85,
    ),
    planned("labels: sigmoid twice", "labels: sigmoid once", MISMATCH, double_sigmoid, 2.0, 0.85),
    planned("cancer: softmax of one", "cancer: sigmoid", MISMATCH, softmax_of_one, 0.75, 0.9),
    planned(
        "diabetes: softmax of one number",
        "diabetes: a number",
        (*MISMATCH, "target_out_of_range"),
        softmax_of_one_number,
        0.1,
        0.25,
    ),
    planned(
        "friedman: sigmoid of 14 ± 3", "friedman: 14 ± 3", RANGE, sigmoid_of_hundreds, 0.1, 0.6
    ),
    planned("friedman: tanh of ± 6", "friedman: ± 6", RANGE, tanh_of_twenties, 0.4, 0.7),
    planned(
        "clouds: log-softmax over the batch",
        "clouds: over the classes",
        MISMATCH,
        over_the_batch,
        2.0,
        0.65,
    ),
    planned("digits: no logarithm", "digits: with it", MISMATCH, no_logarithm, 2.0, 0.85),
    planned(
        "iris: logits as log-probabilities", "iris: log-softmax", MISMATCH, logits_to_nll, 2.0, 0.85
    ),
    planned(
        "digits: ReLU at the end",
        "digits: no ReLU at the end",
        (*MISMATCH, "dead_units"),
        clipped_classes,
        0.85,
        0.88,
    ),
    planned("friedman: ReLU at the end", "friedman: both signs", RANGE, clipped_numbers, 0.65, 0.7),
    planned(
        "friedman: [B] against [B, 1]",
        "friedman: one shape",
        ("target_shape_mismatch",),
        column_against_row,
        0.2,
        0.7,
    ),
    planned(
        "diabetes: [B] against [B, 1] by hand",
        "diabetes: one shape by hand",
        ("target_shape_mismatch",),
        column_against_row_by_hand,
        0.2,
        0.25,
    ),
    planned(
        "odd digits: cross-entropy of one",
        "odd digits: logits",
        ("target_shape_mismatch", "output_loss_mismatch"),
        one_output,
        0.7,
        0.85,
    ),
    planned(
        "clouds: numbers of classes",
        "clouds: eight classes",
        ("loss_unsuited",),
        class_numbers,
        0.5,
        0.6,
    ),
    planned(
        "cancer: -1 and 1", "cancer: 0 and 1", ("target_out_of_range",), plus_and_minus, 2.0, 0.9
    ),
    planned("moons: percent", "moons: shares", ("target_out_of_range",), percent, 2.0, 0.9),
    planned("friedman: negated", "friedman: not negated", ("loss_sign",), negated, 0.0, 0.7),
    planned("wine: maximized", "wine: minimized", ("loss_sign",), ascended, 0.6, 0.85),
    planned(
        "digits: likelihood descended",
        "digits: likelihood ascended",
        ("loss_sign",),
        likelihood,
        0.3,
        0.8,
    ),
    planned("friedman: summed", "friedman: averaged", SCALE, summed, 0.3, 0.65),
    planned("pictures: summed", "pictures: averaged", SCALE, summed_classes, 0.5, 0.7),
]
