"""Which columns tell the target."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sevensteps.doctor.telling_columns import (
    columns_above,
    copies,
    explained_shares,
    is_one_to_one,
    marks_of_classes,
)

CLASSES = torch.arange(60) % 3
NOISE = torch.randn(60, 2, generator=torch.Generator().manual_seed(0)).double()


def test_shares_of_the_variance() -> None:
    line = NOISE[:, :1] * 3 + 1
    assert explained_shares(NOISE, line)[0] == pytest.approx(1)
    assert float(explained_shares(NOISE, line)[1]) < 0.3
    assert explained_shares(CLASSES[:, None].double(), CLASSES)[0] == pytest.approx(1)


@pytest.mark.parametrize(("target", "columns"), [(2 - 5 * NOISE[:, 1], [1]), (CLASSES, [2])])
def test_columns_that_are_the_target_in_other_numbers(target: Tensor, columns: list[int]) -> None:
    assert copies(torch.cat([NOISE, 7.0 - CLASSES[:, None]], 1), target) == columns


def test_marks_and_columns_that_are_larger_for_a_class() -> None:
    marks = F.one_hot(CLASSES, 3).double()
    table = torch.cat([NOISE, marks], 1)
    assert marks_of_classes(table, CLASSES) == [2, 3, 4]
    assert columns_above(table, CLASSES) == [(2, 0.5), (3, 0.5), (4, 0.5)]
    blurred = torch.cat([NOISE, marks + 0.1 * NOISE[:, :1].tanh()], 1)
    assert marks_of_classes(blurred, CLASSES) == [-1, -1, -1]
    assert [column for column, _ in columns_above(blurred, CLASSES)] == [2, 3, 4]
    assert columns_above(NOISE, CLASSES) == []


def test_classes_by_other_names() -> None:
    assert is_one_to_one((CLASSES + 1) % 3, CLASSES)
    assert not is_one_to_one(CLASSES.clamp(max=1), CLASSES)
    assert not is_one_to_one(torch.arange(60), CLASSES)
    assert not is_one_to_one(torch.zeros(60), torch.zeros(60))
