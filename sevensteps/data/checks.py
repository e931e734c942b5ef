"""What data must be before anything is trained on them; each failure is one line with what was seen
and the fix.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sevensteps.data.dataset import Data
from sevensteps.data.part import Part
from sevensteps.data.streaming.streamed import Streamed
from sevensteps.errors import DataError


def check(data: Data) -> None:
    """Raise `DataError` for the first thing that makes `data` impossible to train on or to judge
    by.
    """
    for name, part in (("training", data.train), ("validation", data.valid)):
        where = f"{data.source}: the {name}"
        _shapes(where, part)
        _inputs(where, part.x, data.features)
        _targets(where, part.y, data)
    seen, other = list(data.train.x.shape[1:]), list(data.valid.x.shape[1:])
    if seen != other:
        raise DataError(
            f"{data.source}: a training input has shape {seen}, a validation input {other}; they "
            "must be the same"
        )
    _classes(data)


def all_finite(x: Tensor) -> bool:
    """Whether no number of `x` is infinite or not a number; unlike `isfinite` it needs no
    memory.
    """
    return x.numel() == 0 or bool(torch.stack(x.detach().aminmax()).isfinite().all())


def _shapes(where: str, part: Part) -> None:
    if part.x.dtype != torch.float32 or part.x.ndim not in (2, 4):
        raise DataError(
            f"{where} inputs are {_kind(part.x)}; give float32 [samples, columns] "
            "or [samples, channels, height, width]"
        )
    if len(part.x) != len(part.y):
        raise DataError(
            f"{where} part has {len(part.x)} inputs but {len(part.y)} targets; give one target "
            "for each input"
        )
    if len(part.x) == 0:
        raise DataError(f"{where} part is empty; give it at least one sample")
    if part.x[0].numel() == 0:
        raise DataError(
            f"{where} inputs have shape {list(part.x.shape)}: no number in a sample; give at "
            "least one column"
        )


def _inputs(where: str, x: Tensor | Streamed, features: tuple[str, ...]) -> None:
    if isinstance(x, Streamed):
        if x.tally.wrong is None:
            return
        (row, *place), count = x.tally.wrong, "numbers that are not finite (nan or inf)"
    elif all_finite(x):
        return
    else:
        wrong = ~x.isfinite()
        (row, *place), count = torch.nonzero(wrong)[0].tolist(), _count(wrong)
    if x.ndim == 2:
        column = f"column {place[0]}" + (f" ({features[place[0]]})" if features else "")
    else:
        column = f"channel {place[0]}, line {place[1]}, column {place[2]}"
    raise DataError(
        f"{where} inputs hold {count}, the first in row {row}, {column}; "
        "fill them in or leave those rows out"
    )


def _targets(where: str, y: Tensor, data: Data) -> None:
    kind, columns = data.task.kind, data.task.targets
    if kind == "multiclass":
        if y.dtype != torch.int64 or y.ndim != 1:
            raise DataError(
                f"{where} targets are {_kind(y)}; a choice of {len(data.task.classes)} classes "
                "takes "
                "int64 [samples]"
            )
        _labels(where, y, len(data.task.classes))
        return
    if not y.is_floating_point() or y.ndim != 2 or y.shape[1] != columns:
        raise DataError(f"{where} targets are {_kind(y)}; {kind} takes float [samples, {columns}]")
    wrong = ~y.isfinite()
    if wrong.any():
        raise DataError(
            f"{where} targets hold {_count(wrong)}, the first in row "
            f"{int(torch.nonzero(wrong)[0, 0])}; "
            "leave those rows out"
        )
    if kind == "binary":
        _labels(where, y[:, 0], 2)
    if kind == "multilabel":
        wrong = (y != 0) & (y != 1)
        if wrong.any():
            row, column = torch.nonzero(wrong)[0].tolist()
            raise DataError(
                f"{where} targets hold {y[row, column].item():g} in row {row}; a label is 0 or 1"
            )


def _labels(where: str, labels: Tensor, classes: int) -> None:
    known = (
        (labels >= 0)
        & (labels < classes)
        & (labels == labels.floor() if labels.is_floating_point() else True)
    )
    if not known.all():
        row = int(torch.nonzero(~known)[0])
        raise DataError(
            f"{where} labels go outside 0..{classes - 1}: {labels[row].item():g} in row {row}; "
            f"number the {classes} classes from 0"
        )


def _classes(data: Data) -> None:
    if data.task.kind not in ("binary", "multiclass"):
        return
    names, labels = data.task.classes, data.train.y.reshape(-1).long()
    counts = torch.bincount(labels, minlength=len(names)).tolist()
    missing = [name for name, count in zip(names, counts, strict=True) if count == 0]
    if len(names) - len(missing) < 2:
        only = names[counts.index(max(counts))]
        raise DataError(
            f"{data.source}: all training targets are {only}: one class only; give samples of at "
            "least two"
        )
    if missing:
        some = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        raise DataError(
            f"{data.source}: the training part has no sample of {len(missing)} of {len(names)} "
            f"classes ({some}); "
            "give it some, or leave the class out; if the targets are amounts, give them as floats"
        )


def _count(wrong: Tensor) -> str:
    count = int(wrong.sum())
    return f"{count} number{'s' if count > 1 else ''} that {'are' if count > 1 else 'is'} not finite (nan or inf)"


def _kind(tensor: Any) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
