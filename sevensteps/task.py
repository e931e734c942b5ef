"""Regression, binary, multiclass or multilabel: read off the targets, with the reason; and what an
output layer must then be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from sevensteps.errors import DataError

Kind = Literal["regression", "binary", "multiclass", "multilabel"]


@dataclass(frozen=True)
class Task:
    """What is asked of the network.

    `targets` is the number of columns a target has as stored: 1 for binary and multiclass.
    `classes` are the names of the answers, empty for regression. Targets are stored as `[N,
    targets]` float (regression, multilabel), `[N, 1]` float of 0 and 1 (binary), or `[N]` int64
    class indices (multiclass).
    """

    kind: Kind
    targets: int
    classes: tuple[str, ...]
    reason: str


def task_of(target: Tensor, classes: tuple[str, ...] = ()) -> Task:
    """The task that `target` describes.

    Whole numbers are classes; fractions are values to regress on; several columns of only 0 and 1
    are labels that can hold together. Raises `DataError` where there is nothing to tell apart.
    """
    if target.ndim == 0 or target.ndim > 2 or len(target) == 0:
        raise DataError(
            f"targets have shape {list(target.shape)}; give one row per sample: [N] or [N, columns]"
        )
    columns = 1 if target.ndim == 1 else target.shape[1]
    if columns == 0:
        raise DataError(
            f"targets have shape {list(target.shape)}: no column; give at least one number per "
            "sample"
        )
    zero_one = bool(((target == 0) | (target == 1)).all())
    if (not target.is_floating_point() and columns == 1) or (columns == 1 and zero_one):
        class_names = classes or tuple(str(int(c)) for c in torch.unique(target).tolist())
        if len(class_names) < 2:
            raise DataError(
                f"all targets are {class_names[0]}: one class only; a classifier needs samples of "
                "at least two"
            )
        if len(class_names) == 2:
            return Task(
                "binary",
                1,
                class_names,
                f"the targets are two classes, {class_names[0]} and {class_names[1]}",
            )
        return Task("multiclass", 1, class_names, f"the targets are {len(class_names)} classes")
    if zero_one:
        names = classes or tuple(str(i) for i in range(columns))
        return Task("multilabel", columns, names, f"each target has {columns} yes/no labels")
    numbers = "a number" if columns == 1 else f"{columns} numbers"
    return Task("regression", columns, (), f"each target is {numbers}")
