"""Cells of any kind as texts, and blocks of a column as one."""

from __future__ import annotations

import numpy as np

from sevensteps.data.table.cells import Cells, concatenate_cells
from sevensteps.data.table.column_encoding import Column


def test_cells_of_any_kind_can_be_texts() -> None:
    assert Cells("number", np.array([2.0, np.nan, 0.5])).as_texts().texts == ("0.5", "2")
    assert Cells("flag", np.array([1.0, 0.0])).as_texts().texts == ("False", "True")
    assert Cells("date", np.array([0.0, 1.5, 1e18])).as_texts().texts == (
        "1970-01-01",
        "1970-01-02T12:00:00",
        "1e+18 days after 1970",
    )
    column = Column("x", "category", ("1", "a"), 0.0)
    assert column.encode(Cells("number", np.array([1.0, np.nan]))).tolist() == [[1, 0], [0, 0]]


def test_blocks_are_joined() -> None:
    whole = concatenate_cells([Cells.of(["a", "b", "?"]), Cells.of(["c", "a"])])
    assert [whole.texts[place] if place >= 0 else None for place in whole.values] == [
        "a",
        "b",
        None,
        "c",
        "a",
    ]
