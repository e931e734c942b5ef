"""Blocks of a table: how many rows they have, and some of them."""

from __future__ import annotations

import numpy
import pytest

from sevensteps.data.table.cells import Cells
from sevensteps.data.table.table import Table, name_columns, row_count, select_rows

BLOCK = {"a": Cells.of(["1", "2", "3"], "a.csv"), "b": Cells.of(["x", "", "z"], "a.csv")}


def test_the_rows_of_a_mask_are_taken_from_every_column() -> None:
    rows = select_rows(BLOCK, numpy.array([True, False, True]))
    assert (row_count(BLOCK), row_count(rows)) == (3, 2)
    assert rows["a"].numbers("number").tolist() == [1, 3]
    assert [rows["b"].excerpt(row) for row in (0, 1)] == ["x", "z"]
    assert select_rows(BLOCK, numpy.array([True] * 3)) is BLOCK
    assert row_count(select_rows(BLOCK, numpy.array([False] * 3))) == 0


def test_of_many_names_the_first_are_said() -> None:
    assert name_columns(["a", "b"]) == "a, b"
    assert name_columns(list("abcdefghijklmn")) == "a, b, c, d, e, f, g, h, i, j, k, l and 2 more"
    assert name_columns(["a", "b", "c"], most=1) == "a and 2 more"


def test_a_table_must_say_how_its_blocks_are_read() -> None:
    with pytest.raises(TypeError, match="blocks"):
        Table()  # type: ignore[abstract]
