"""What is to be predicted: classes or amounts, and the rows that say it."""

from __future__ import annotations

import pytest

from sevensteps.data.formats.frame import FrameOptions
from sevensteps.data.table.targets import read_targets
from sevensteps.data.table.text_table import TextTable
from sevensteps.errors import DataError


def targets(values: list[str], missing: str = "fill"):
    table = TextTable("a.csv", "a.csv", ["y"], [[value] for value in values])
    return read_targets(table, "y", FrameOptions("a.csv", target="y", missing=missing))


@pytest.mark.parametrize(
    ("values", "classes", "regression"),
    [
        (["b", "a"] * 10, ("a", "b"), False),
        (["3", "1"] * 10, None, False),
        ([str(n % 15) for n in range(90)], None, False),
        ([str(n % 15) for n in range(20)], None, True),  # so many, and hardly any row of each
        ([f"{n / 3:.2f}" for n in range(20)], None, True),
        ([f"1,{n:03}" for n in range(30)], None, True),
    ],
)
def test_classes_and_amounts(
    values: list[str], classes: tuple[str, ...] | None, regression: bool
) -> None:
    read = targets(values)
    assert (read.classes, read.is_regression) == (classes, regression)
    assert read.y(read.used).shape == ((len(values), 1) if regression else (len(values),))


def test_rows_without_a_target_are_not_used() -> None:
    read = targets([*map(str, range(40)), "", "soon"])
    assert read.used.sum() == 40
    with pytest.raises(DataError, match="row 41 has no y, and what is to be predicted"):
        targets([*map(str, range(40)), ""], "refuse")
    with pytest.raises(DataError, match="row 41 has y 'soon' in a column of numbers"):
        targets([*map(str, range(40)), "soon"], "refuse")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["", ""], "the column y is empty, so it cannot be predicted"),
        ([f"name {n}" for n in range(30)], "y has 30 different texts in 30 rows: they are names"),
        (["2024-01-01", "2024-01-02"], "y is a date"),
    ],
)
def test_what_cannot_be_predicted(values: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        targets(values)
