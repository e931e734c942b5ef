"""Which task the targets describe, and which targets are refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sevensteps.errors import DataError
from sevensteps.task import Task, task_of


@pytest.mark.parametrize(
    ("target", "names", "kind", "columns", "classes", "reason"),
    [
        (torch.tensor([[1.5], [2.0]]), (), "regression", 1, (), "each target is a number"),
        (torch.tensor([0.0, 1.0, 0.5]), (), "regression", 1, (), "each target is a number"),
        (torch.tensor([0.0, math.nan]), (), "regression", 1, (), "each target is a number"),
        (torch.zeros(4, 2) + 3, (), "regression", 2, (), "each target is 2 numbers"),
        (torch.tensor([[1, 2], [3, 4]]), (), "regression", 2, (), "each target is 2 numbers"),
        (
            torch.tensor([[0.0], [1.0]]),
            (),
            "binary",
            1,
            ("0", "1"),
            "the targets are two classes, 0 and 1",
        ),
        (
            torch.tensor([0.0, 1.0]),
            ("no", "yes"),
            "binary",
            1,
            ("no", "yes"),
            "the targets are two classes, no and yes",
        ),
        (
            torch.tensor([3, 7, 3]),
            (),
            "binary",
            1,
            ("3", "7"),
            "the targets are two classes, 3 and 7",
        ),
        (
            torch.tensor([True, False]),
            (),
            "binary",
            1,
            ("0", "1"),
            "the targets are two classes, 0 and 1",
        ),
        (
            torch.tensor([0, 1, 2]),
            (),
            "multiclass",
            1,
            ("0", "1", "2"),
            "the targets are 3 classes",
        ),
        (
            torch.tensor([[-1], [5], [2]], dtype=torch.int8),
            (),
            "multiclass",
            1,
            ("-1", "2", "5"),
            "the targets are 3 classes",
        ),
        (
            torch.tensor([0, 1, 1]),
            ("a", "b", "c"),
            "multiclass",
            1,
            ("a", "b", "c"),
            "the targets are 3 classes",
        ),
        (
            torch.tensor([[0.0, 1.0], [1.0, 1.0]]),
            (),
            "multilabel",
            2,
            ("0", "1"),
            "each target has 2 yes/no labels",
        ),
        (
            torch.tensor([[0, 1, 0], [1, 1, 0]]),
            ("p", "q", "r"),
            "multilabel",
            3,
            ("p", "q", "r"),
            "each target has 3 yes/no labels",
        ),
    ],
)
def test_the_task_is_read_off_the_targets(
    target: Tensor,
    names: tuple[str, ...],
    kind: Any,
    columns: int,
    classes: tuple[str, ...],
    reason: str,
) -> None:
    assert task_of(target, names) == Task(kind, columns, classes, reason)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (torch.tensor(3.0), "targets have shape []; give one row per sample: [N] or [N, columns]"),
        (torch.zeros(0), "targets have shape [0]; give one row per sample: [N] or [N, columns]"),
        (
            torch.zeros(0, 3),
            "targets have shape [0, 3]; give one row per sample: [N] or [N, columns]",
        ),
        (
            torch.zeros(2, 3, 4),
            "targets have shape [2, 3, 4]; give one row per sample: [N] or [N, columns]",
        ),
        (
            torch.zeros(3, 0),
            "targets have shape [3, 0]: no column; give at least one number per sample",
        ),
        (
            torch.ones(5),
            "all targets are 1: one class only; a classifier needs samples of at least two",
        ),
        (
            torch.zeros(5, 1),
            "all targets are 0: one class only; a classifier needs samples of at least two",
        ),
        (
            torch.full((5,), 7),
            "all targets are 7: one class only; a classifier needs samples of at least two",
        ),
    ],
)
def test_targets_with_nothing_to_tell_apart_are_refused(target: Tensor, message: str) -> None:
    with pytest.raises(DataError) as refused:
        task_of(target)
    assert str(refused.value) == message


@given(labels=st.lists(st.integers(-5, 5), min_size=1, max_size=30))
def test_whole_numbers_are_classes(labels: list[int]) -> None:
    names = tuple(str(label) for label in sorted(set(labels)))
    if len(names) == 1:
        with pytest.raises(DataError, match="one class only"):
            task_of(torch.tensor(labels))
    else:
        task = task_of(torch.tensor(labels))
        assert (task.kind, task.classes) == ("binary" if len(names) == 2 else "multiclass", names)
