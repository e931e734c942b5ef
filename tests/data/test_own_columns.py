"""A table's own rows, as they are handed on beside the predictions."""

from __future__ import annotations

from pathlib import Path

import pytest

from sevensteps.data.own_columns import own_columns


def test_a_csv_keeps_its_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('name,x\n"b, c",1.50\nNA, 2\n')
    assert own_columns(path, 2) == [{"name": "b, c", "x": "1.50"}, {"name": "NA", "x": " 2"}]
    path.write_text("1,2\n3,4\n")
    assert own_columns(path, 2)[1] == {"column 1": "3", "column 2": "4"}


def test_a_parquet_file_has_plain_texts(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = arrow.table({"x": [1, 2], "name": ["a", None]})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert own_columns(tmp_path / "a.parquet", 2) == [
        {"x": "1", "name": "a"},
        {"x": "2", "name": ""},
    ]


def test_arrays_have_no_columns(tmp_path: Path) -> None:
    assert own_columns(tmp_path / "a.npy", 3) == []
