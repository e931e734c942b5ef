"""What data must be before anything is trained on them.

Each failure is one line, with what is wrong, where, and the fix.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sevensteps.data.inputs import Inputs
from sevensteps.data.part import Part
from sevensteps.data.streaming.streamed_inputs import StreamedInputs
from sevensteps.errors import DataError
from sevensteps.task import Task


def check_parts(
    source: str, train: Part, valid: Part, task: Task, features: tuple[str, ...] = ()
) -> None:
    """Raise `DataError` for the first thing that makes two parts impossible to train on or to judge
    by. `source` is the name of the data in messages.
    """
    for name, part in (("training", train), ("validation", valid)):
        where = f"{source}: the {name}"
        _check_shapes(where, part)
        _check_inputs(where, part.x, features)
        _check_targets(where, part.y, task)
    trained, judged = list(train.x.shape[1:]), list(valid.x.shape[1:])
    if trained != judged:
        raise DataError(
            f"{source}: a training input has shape {trained}, a validation input {judged}; they "
            "must be the same"
        )
    _check_classes(source, train, task)


def all_finite(x: Tensor) -> bool:
    """Whether no number of `x` is infinite or not a number; unlike `isfinite` it needs no
    memory.
    """
    return x.numel() == 0 or bool(torch.stack(x.detach().aminmax()).isfinite().all())


def _check_shapes(where: str, part: Part) -> None:
    if part.x.dtype != torch.float32 or part.x.ndim not in (2, 4):
        raise DataError(
            f"{where} inputs are {_describe(part.x)}; give float32 [samples, columns] "
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


def _check_inputs(where: str, x: Inputs, features: tuple[str, ...]) -> None:
    if isinstance(x, StreamedInputs):
        if (first := x.statistics.first_not_finite) is None:
            return
        (row, *place), count = first, "numbers that are not finite (nan or inf)"
    elif all_finite(x):
        return
    else:
        not_finite = ~x.isfinite()
        (row, *place), count = torch.nonzero(not_finite)[0].tolist(), _not_finite_phrase(not_finite)
    if x.ndim == 2:
        column = f"column {place[0]}" + (f" ({features[place[0]]})" if features else "")
    else:
        column = f"channel {place[0]}, line {place[1]}, column {place[2]}"
    raise DataError(
        f"{where} inputs hold {count}, the first in row {row}, {column}; "
        "fill them in or leave those rows out"
    )


def _check_targets(where: str, y: Tensor, task: Task) -> None:
    kind, columns = task.kind, task.targets
    if kind == "multiclass":
        if y.dtype != torch.int64 or y.ndim != 1:
            raise DataError(
                f"{where} targets are {_describe(y)}; a choice of {len(task.classes)} classes "
                "takes int64 [samples]"
            )
        _check_labels(where, y, len(task.classes))
        return
    if not y.is_floating_point() or y.ndim != 2 or y.shape[1] != columns:
        raise DataError(
            f"{where} targets are {_describe(y)}; {kind} takes float [samples, {columns}]"
        )
    not_finite = ~y.isfinite()
    if not_finite.any():
        raise DataError(
            f"{where} targets hold {_not_finite_phrase(not_finite)}, the first in row "
            f"{int(torch.nonzero(not_finite)[0, 0])}; leave those rows out"
        )
    if kind == "binary":
        _check_labels(where, y[:, 0], 2)
    if kind == "multilabel":
        no_label = (y != 0) & (y != 1)
        if no_label.any():
            row, column = torch.nonzero(no_label)[0].tolist()
            raise DataError(
                f"{where} targets hold {y[row, column].item():g} in row {row}; a label is 0 or 1"
            )


def _check_labels(where: str, labels: Tensor, classes: int) -> None:
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


def _check_classes(source: str, train: Part, task: Task) -> None:
    if task.kind not in ("binary", "multiclass"):
        return
    names, labels = task.classes, train.y.reshape(-1).long()
    counts = torch.bincount(labels, minlength=len(names)).tolist()
    missing = [name for name, count in zip(names, counts, strict=True) if count == 0]
    if len(names) - len(missing) < 2:
        only = names[counts.index(max(counts))]
        raise DataError(
            f"{source}: all training targets are {only}: one class only; give samples of at least "
            "two"
        )
    if missing:
        first_five = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        raise DataError(
            f"{source}: the training part has no sample of {len(missing)} of {len(names)} classes "
            f"({first_five}); give it some, or leave the class out; if the targets are amounts, "
            "give them as floats"
        )


def _not_finite_phrase(not_finite: Tensor) -> str:
    count = int(not_finite.sum())
    numbers, are = ("numbers", "are") if count > 1 else ("number", "is")
    return f"{count} {numbers} that {are} not finite (nan or inf)"


def _describe(tensor: Inputs) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
