"""Columns of Arrow as cells: numbers, dates in days, texts and gaps, against Python's own."""

from __future__ import annotations

import builtins
import datetime
from typing import Any

import numpy
import pytest

from sevensteps.data.table.arrow_columns import (
    kind_of_type,
    refuse_type,
    require_pyarrow,
    to_cells,
)
from sevensteps.errors import DataError

pyarrow = pytest.importorskip("pyarrow")

DAY = datetime.date(2020, 2, 29)
DAYS = (DAY - datetime.date(1970, 1, 1)).days
NOON = datetime.datetime(2020, 2, 29, 12)


@pytest.mark.parametrize(
    ("values", "arrow_type", "kind", "numbers"),
    [
        ([1, None, 3], "int16", "number", [1, numpy.nan, 3]),
        ([0.5, -2.0], "float32", "number", [0.5, -2]),
        ([True, False, None], "bool", "flag", [1, 0, numpy.nan]),
        ([DAY, None], "date32", "date", [DAYS, numpy.nan]),
        ([DAY], "date64", "date", [DAYS]),
        *[([NOON], f"timestamp[{unit}]", "date", [DAYS + 0.5]) for unit in ("s", "ms", "us", "ns")],
    ],
)
def test_numbers_flags_and_dates(
    values: list[Any], arrow_type: str, kind: str, numbers: list[float]
) -> None:
    arrow_type = pyarrow.type_for_alias(arrow_type)
    column = pyarrow.chunked_array([pyarrow.array(values, arrow_type)])
    assert kind_of_type(column.type) == kind
    cells = to_cells("c", column, "a.parquet")
    assert cells.kind == kind
    numpy.testing.assert_array_equal(cells.numbers(cells.kind), numbers)


def test_texts_of_several_chunks_are_one_list() -> None:
    column = pyarrow.chunked_array([["red", None], ["green", "red"]])
    cells = to_cells("c", column, "a.parquet")
    assert cells.kind == "category"
    assert cells.missing.tolist() == [False, True, False, False]
    assert [cells.texts[code] for code in cells.values[[0, 2, 3]]] == ["red", "green", "red"]
    assert len(to_cells("c", column.slice(0, 0), "a.parquet")) == 0


def test_lists_and_long_texts_cannot_be_inputs() -> None:
    assert kind_of_type(pyarrow.list_(pyarrow.int8())) is None
    with pytest.raises(DataError, match=r"^a\.parquet: the column c holds list.*drop=\"c\"$"):
        refuse_type("c", pyarrow.list_(pyarrow.int8()), "a.parquet")
    refuse_type("c", pyarrow.int8(), "a.parquet")
    cut = to_cells("c", pyarrow.chunked_array([["x" * 10_001]]), "a.parquet")
    assert [len(text) for text in cut.texts] == [10_000]


def test_without_pyarrow_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    require_pyarrow("a.parquet")
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match=r'^a\.parquet: needs pyarrow.*"sevensteps\[parquet\]"$'):
        require_pyarrow("a.parquet")
