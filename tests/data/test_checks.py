"""What `Data` refuses to be, whoever makes it, and what it says of itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from sevensteps.data import Data, Part
from sevensteps.data.scaling import identity_scaling
from sevensteps.errors import DataError
from sevensteps.task import Task

BINARY = Task("binary", 1, ("no", "yes"), "given")
THREE = Task("multiclass", 1, ("a", "b", "c"), "given")
LABELS = Task("multilabel", 2, ("warm", "wet"), "given")
NUMBERS = Task("regression", 2, (), "given")
X = torch.arange(6.0).view(3, 2)


def checked_data(
    y: Tensor, task: Task, *, x: Tensor = X, valid: Part | None = None, **options: Any
) -> Data:
    return Data(
        "mine",
        Part(x, y),
        Part(x, y) if valid is None else valid,
        task,
        identity_scaling(),
        **options,
    )


@pytest.mark.parametrize(
    ("y", "task"),
    [
        (torch.tensor([[0.0], [1.0], [1.0]]), BINARY),
        (torch.tensor([0, 1, 2]), THREE),
        (torch.tensor([[0.0, 1.0], [0.0, 0.0], [1.0, 1.0]]), LABELS),
        (torch.tensor([[0.5, 1.0], [0.0, 7.0], [1.0, 1.0]]), NUMBERS),
    ],
)
def test_good_data_pass(y: Tensor, task: Task) -> None:
    assert len(checked_data(y, task).train) == 3


YES_NO = torch.tensor([[0.0], [1.0], [1.0]])
REFUSED: list[tuple[Tensor, Task, dict[str, Any], str]] = [
    (
        YES_NO,
        BINARY,
        {"x": X.double()},
        "mine: the training inputs are float64 [3, 2]; give float32 [samples, columns] or "
        "[samples, channels, height, width]",
    ),
    (
        YES_NO,
        BINARY,
        {"x": X[:, 0]},
        "mine: the training inputs are float32 [3]; give float32 [samples, columns] or "
        "[samples, channels, height, width]",
    ),
    (
        YES_NO[:2],
        BINARY,
        {},
        "mine: the training part has 3 inputs but 2 targets; give one target for each input",
    ),
    (
        YES_NO,
        BINARY,
        {"valid": Part(X[:0], YES_NO[:0])},
        "mine: the validation part is empty; give it at least one sample",
    ),
    (
        YES_NO,
        BINARY,
        {"valid": Part(X[:, :1], YES_NO)},
        "mine: a training input has shape [2], a validation input [1]; they must be the same",
    ),
    (
        YES_NO[:, 0],
        BINARY,
        {},
        "mine: the training targets are float32 [3]; binary takes float [samples, 1]",
    ),
    (
        YES_NO.long(),
        BINARY,
        {},
        "mine: the training targets are int64 [3, 1]; binary takes float [samples, 1]",
    ),
    (
        YES_NO / 2,
        BINARY,
        {},
        "mine: the training labels go outside 0..1: 0.5 in row 1; number the 2 classes from 0",
    ),
    (
        torch.ones(3, 1),
        BINARY,
        {},
        "mine: all training targets are yes: one class only; give samples of at least two",
    ),
    (
        torch.tensor([0.0, 1.0, 2.0]),
        THREE,
        {},
        "mine: the training targets are float32 [3]; a choice of 3 classes takes int64 [samples]",
    ),
    (
        torch.tensor([0, 1, 3]),
        THREE,
        {},
        "mine: the training labels go outside 0..2: 3 in row 2; number the 3 classes from 0",
    ),
    (
        torch.tensor([0, 0, 2]),
        THREE,
        {},
        "mine: the training part has no sample of 1 of 3 classes (b); give it some, or leave the "
        "class out; if the targets are "
        "amounts, give them as floats",
    ),
    (
        torch.tensor([[0.0, 1.0], [2.0, 0.0], [1.0, 1.0]]),
        LABELS,
        {},
        "mine: the training targets hold 2 in row 1; a label is 0 or 1",
    ),
    (
        torch.zeros(3, 1),
        NUMBERS,
        {},
        "mine: the training targets are float32 [3, 1]; regression takes float [samples, 2]",
    ),
    (
        torch.tensor([[0.0, 1.0], [2.0, float("inf")], [1.0, 1.0]]),
        NUMBERS,
        {},
        "mine: the training targets hold 1 number that is not finite (nan or inf), the first in "
        "row 1; leave those rows out",
    ),
]


@pytest.mark.parametrize(
    ("y", "task", "options", "message"), REFUSED, ids=[message[10:60] for *_, message in REFUSED]
)
def test_bad_data_are_refused_in_one_line(
    y: Tensor, task: Task, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError) as caught:
        checked_data(y, task, **options)
    assert str(caught.value) == message


def test_data_damaged_later_are_refused_by_a_second_check() -> None:
    dataset = checked_data(YES_NO, BINARY, x=X.clone())
    dataset.check()
    dataset.train.x[1, 0] = float("nan")
    with pytest.raises(DataError, match="the training inputs hold 1 number that is not finite"):
        dataset.check()
