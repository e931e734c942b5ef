"""The kind of a column is the first that fits all of its cells."""

from __future__ import annotations

import numpy
import pytest

from sevensteps.data.table.cells import Cells
from sevensteps.data.table.column_encoding import Column
from sevensteps.data.table.column_inference import MAX_CATEGORIES, ColumnInference, infer_column
from sevensteps.errors import DataError


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        (["1", "2.5", "-3e4"], Column("c", "number")),
        (["1", "", "2"], Column("c", "number")),
        (["yes", "no", "yes"], Column("c", "flag")),
        (["2020-01-31", "1999-12-01"], Column("c", "date")),
        (["red", "green", "red"], Column("c", "category", ("green", "red"))),
        (["1", "red", "2020-01-31"], Column("c", "category", ("1", "2020-01-31", "red"))),
    ],
)
def test_the_kind_that_fits_all_cells(cells: list[str], column: Column) -> None:
    assert infer_column("c", cells) == column


def test_blocks_count_together() -> None:
    inference = ColumnInference("c")
    inference.add(Cells.of(["1", "2"], "a.csv"))
    assert inference.column().kind == "number"
    inference.add(Cells.of(["blue"] * 3, "a.csv"))
    assert inference.column() == Column("c", "category", ("1", "2", "blue"))


def test_one_cell_among_many_numbers_is_a_mistake() -> None:
    with pytest.raises(DataError, match=r"^a\.csv.* has c 'oops' in a column of numbers; mend it"):
        infer_column("c", [*map(str, range(20)), "oops"], "a.csv")


def test_what_nothing_can_be_learned_from_is_refused() -> None:
    with pytest.raises(DataError, match=r'^a\.csv: the column c is empty; .*drop=\("c",\)$'):
        infer_column("c", ["", ""], "a.csv")
    texts = [f"text {i}" for i in range(MAX_CATEGORIES + 1)]
    assert len(infer_column("c", texts[:-1]).values) == MAX_CATEGORIES
    with pytest.raises(DataError, match=f"c has {MAX_CATEGORIES + 1} different texts"):
        infer_column("c", texts, "a.csv")


def test_texts_that_no_row_has_do_not_count() -> None:
    cells = Cells.from_codes(numpy.array([0, 1, 0], numpy.int32), ["1", "2", "red"], "a.parquet")
    assert infer_column("c", cells) == Column("c", "number")
