"""The table of step 3's contract: a row for each loss; everything in test_loss.py goes over it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from sevensteps.task import Task

TASKS = {
    "regression": Task("regression", 1, (), "each target is a number"),
    "columns": Task("regression", 3, (), "each target is 3 numbers"),
    "binary": Task("binary", 1, ("3", "7"), "the targets are two classes, 3 and 7"),
    "multiclass": Task("multiclass", 1, ("a", "b", "c", "d"), "the targets are 4 classes"),
    "multilabel": Task("multilabel", 3, ("x", "y", "z"), "each target has 3 yes/no labels"),
}

Oracle = Callable[[Tensor, Tensor], Tensor]
# What each loss makes of each task: (outputs, link, coding, threshold, layer, reason), or what it
# says to refuse it.
PROBABILITY = "its sigmoid is the probability of yes"
SCORE = "a score whose sign is the answer"
VALUE = "read as it is"
CHANCE = "its sigmoid is read as the probability of yes"
Row = tuple[int, str, str, float, str, str] | str


def per_value(why: str, link: str, threshold: float, name: str) -> dict[str, Row]:
    return {
        "binary": (
            1,
            link,
            "value",
            threshold,
            "identity",
            f"the targets are two classes, 3 and 7: one output, {why.replace('of yes', 'of 7')}",
        ),
        "multiclass": (
            4,
            link,
            "one_hot",
            threshold,
            "identity",
            f"the targets are 4 classes: 4 outputs, each judged alone by {name}, {why}",
        ),
        "multilabel": (
            3,
            link,
            "value",
            threshold,
            "identity",
            f"each target has 3 yes/no labels: one output per label, {why}",
        ),
    }


def numbers(name: str) -> dict[str, Row]:
    return {
        **per_value(VALUE, "identity", 0.5, name),
        "regression": (
            1,
            "identity",
            "value",
            0.5,
            "identity",
            f"each target is a number: one output per value, {VALUE}",
        ),
        "columns": (
            3,
            "identity",
            "value",
            0.5,
            "identity",
            f"each target is 3 numbers: one output per value, {VALUE}",
        ),
    }


def no_number(name: str) -> dict[str, Row]:
    return {
        key: f"{name} judges classes, but {TASKS[key].reason}; use mean_squared_error()"
        for key in ("regression", "columns")
    }


def one_of_many(name: str, link: str, layer: str, says: str) -> dict[str, Row]:
    return {
        **no_number(name),
        "binary": (
            2,
            link,
            "index",
            0.0,
            layer,
            f"the targets are two classes, 3 and 7: 2 outputs{says}",
        ),
        "multiclass": (4, link, "index", 0.0, layer, f"the targets are 4 classes: 4 outputs{says}"),
        "multilabel": f"{name} picks one class, but each target has 3 yes/no labels; use "
        "binary_cross_entropy()",
    }


@dataclass(frozen=True)
class LossRow:
    """`oracles`: examples as they are spelled, each with PyTorch's own loss, or the formula as the
    book or the paper has it.

    `outputs`: what it makes of each task. `kinks`: how far each output is from where the loss has a
    kink; without, it has none."""

    outputs: dict[str, Row]
    oracles: dict[str, Oracle]
    kinks: dict[str, Oracle] = field(default_factory=dict)


LOSS_ROWS: dict[str, LossRow] = {
    "mean_squared_error": LossRow(
        numbers("mean_squared_error"),
        {"mean_squared_error()": lambda o, t: F.mse_loss(o, t, reduction="none").mean(1)},
    ),
    "mean_absolute_error": LossRow(
        numbers("mean_absolute_error"),
        {"mean_absolute_error()": lambda o, t: F.l1_loss(o, t, reduction="none").mean(1)},
        kinks={"mean_absolute_error()": lambda o, t: (o - t).abs()},
    ),
    "huber": LossRow(
        numbers("huber"),
        {
            "huber()": lambda o, t: F.smooth_l1_loss(o, t, reduction="none").mean(1),
            "huber(0.5)": lambda o, t: (
                0.5 * F.smooth_l1_loss(o, t, reduction="none", beta=0.5).mean(1)
            ),
        },
        kinks={
            "huber()": lambda o, t: ((o - t).abs() - 1).abs(),
            "huber(0.5)": lambda o, t: ((o - t).abs() - 0.5).abs(),
        },
    ),
    "binary_cross_entropy": LossRow(
        {
            **per_value(PROBABILITY, "sigmoid", 0.0, "binary_cross_entropy"),
            **no_number("binary_cross_entropy"),
        },
        {
            "binary_cross_entropy()": lambda o, t: (
                -torch.where(t == 1, F.logsigmoid(o), F.logsigmoid(-o)).mean(1)
            )
        },
    ),
    "cross_entropy": LossRow(
        one_of_many(
            "cross_entropy", "softmax", "identity", ", their softmax is the probability of each"
        ),
        {"cross_entropy()": lambda o, t: F.nll_loss(o.log_softmax(1), t, reduction="none")},
    ),
    "mnist_loss": LossRow(
        {**per_value(CHANCE, "sigmoid", 0.0, "mnist_loss"), **no_number("mnist_loss")},
        {"mnist_loss()": lambda o, t: torch.where(t == 1, 1 - o.sigmoid(), o.sigmoid()).mean(1)},
    ),
    "negative_log_likelihood": LossRow(
        one_of_many(
            "negative_log_likelihood",
            "exp",
            "log_softmax",
            " through log_softmax, the log-probability of each",
        ),
        {"negative_log_likelihood()": lambda o, t: F.nll_loss(o, t, reduction="none")},
    ),
    "hinge": LossRow(
        {**per_value(SCORE, "identity", 0.0, "hinge"), **no_number("hinge")},
        {"hinge()": lambda o, t: torch.relu(1 - torch.where(t == 1, 1.0, -1.0) * o).mean(1)},
        kinks={"hinge()": lambda o, t: (1 - (2 * t - 1) * o).abs()},
    ),
}
