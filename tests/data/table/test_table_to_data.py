"""A table known by hand becomes data: its columns, targets, gaps and what is left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
import torch

from sevensteps.data.table.cells import Cells
from sevensteps.data.table.options import check_options
from sevensteps.data.table.table import Block, Table
from sevensteps.data.table.table_to_data import (
    describe_table,
    encode_table,
    inspect_table,
    load_table,
)
from sevensteps.errors import ArgumentError, DataError


class Columns(Table):
    """A table of columns in memory, in blocks of four rows."""

    where, title = "a.csv", "a.csv"

    def __init__(self, columns: dict[str, list[str]], train_rows: int | None = None) -> None:
        self.columns, self.names, self.train_rows = columns, list(columns), train_rows

    def blocks(self, names: Sequence[str]) -> Iterator[Block]:
        for start in range(0, len(next(iter(self.columns.values()))), 4):
            yield {
                name: Cells.of(self.columns[name][start : start + 4], self.where) for name in names
            }


@dataclass
class Options:
    """The arguments of a source that reads a table."""

    target: str | None = "y"
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    missing: str = "refuse"
    dates: str = "auto"
    values: int = 200
    valid: float = 0.2
    scale: str = "none"
    target_scale: str = "none"
    seed: int = 0
    text: str = "mine"


GAPS = Columns(
    {
        "a": ["1", "2", "", "4", "5", "6", "7", "8", "9", "10"],
        "color": ["red", "blue"] * 5,
        "y": ["no", "yes"] * 5,
    },
    train_rows=8,
)


def test_gaps_are_filled_with_the_mean_of_the_training_part() -> None:
    contents = inspect_table(GAPS, Options(missing="fill"))
    assert contents.train.tolist() == list(range(8))
    assert contents.valid.tolist() == [8, 9]
    (number, color) = contents.encoding.columns
    assert number.fill == pytest.approx((1 + 2 + 4 + 5 + 6 + 7 + 8) / 7)
    x = encode_table(GAPS, contents)
    assert x[2].tolist() == [number.fill, 1, 0, 1]  # the flag, blue, red
    assert x[3].tolist() == [4, 0, 1, 0]
    assert (contents.classes, contents.y.tolist()) == (("no", "yes"), [0, 1] * 5)
    assert color.values == ("blue", "red")


def test_rows_with_gaps_can_be_left_out() -> None:
    options = Options(missing="drop")
    contents = inspect_table(GAPS, options)
    assert contents.used_rows is not None
    assert contents.used_rows.tolist() == [True, True, False] + [True] * 7
    assert contents.train.tolist() == list(range(7))
    assert encode_table(GAPS, contents)[:, 0].tolist() == [1, 2, 4, 5, 6, 7, 8, 9, 10]
    assert describe_table(GAPS, options, contents) == (
        "9 rows of a.csv, 1 rows left out: 2 columns as 3 inputs, y to predict"
    )


def test_whole_numbers_are_classes_and_amounts_are_not() -> None:
    amounts = [str(i / 2) for i in range(20)]
    table = Columns({"a": [str(i) for i in range(20)], "k": ["3", "4"] * 10, "y": amounts})
    classes, regression = load_table(table, Options("k")), load_table(table, Options("y", ("k",)))
    assert (classes.task.kind, regression.task.kind) == ("binary", "regression")
    assert (classes.features, regression.features) == (("a", "y"), ("a",))
    x, y = (torch.cat([getattr(p, n) for p in (regression.train, regression.valid)]) for n in "xy")
    torch.testing.assert_close(y, x / 2)  # every row is with its target


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(None), 'say which column to predict, as in: target="y"; there are: a, color, y'),
        (Options("z"), "target 'z' is no column"),
        (Options(drop=("colour",)), "drop 'colour' is no column; did you mean 'color'"),
        (Options(drop=("a", "color")), "no column is left to predict y from"),
    ],
)
def test_columns_that_are_not_there_are_refused(options: Options, message: str) -> None:
    with pytest.raises(DataError, match=rf"^a\.csv: {message}"):
        inspect_table(GAPS, options)


def test_options_are_checked_and_one_name_to_drop_is_enough() -> None:
    options = Options(drop="a")  # type: ignore[arg-type]
    check_options(options)
    assert options.drop == ("a",)
    for wrong in (Options(missing="ignore"), Options(valid=1.0), Options(scale="log")):
        with pytest.raises(ArgumentError):
            check_options(wrong)
