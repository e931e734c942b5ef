"""Workbooks of Excel: the cells say what they are."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from typing import Any

import pytest

import sevensteps as ss
from sevensteps.data.formats.excel import cell_text, read_workbook
from sevensteps.data.prediction_inputs import read_inputs
from sevensteps.errors import DataError

openpyxl = pytest.importorskip("openpyxl")


def write(path: Path, sheets: dict[str, list[list[Any]]]) -> None:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)


def pets() -> list[list[Any]]:
    day = datetime.datetime(2020, 1, 1)
    return [
        ["weight", "indoor", "born", "kind"],
        *([n + 0.5, n % 3 == 0, day + datetime.timedelta(n), "ab"[n % 2]] for n in range(40)),
    ]


def test_a_sheet_is_a_table(tmp_path: Path) -> None:
    path = tmp_path / "pets.xlsx"
    write(path, {"empty": [], "pets": [[], *([None, *row] for row in pets())]})
    data = ss.data.load(str(path), target="kind", scale="none")
    assert data.features == ("weight", "indoor", "born")
    assert data.notes == ("read the sheet pets, of empty, pets",)
    assert data.encoding is not None
    assert [column.kind for column in data.encoding.columns] == ["number", "flag", "date"]
    assert sorted({*data.train.x[:, 0].tolist(), *data.valid.x[:, 0].tolist()})[:2] == [0.5, 1.5]
    names, x = read_inputs(path, data.inputs)
    assert (names[0], x.shape) == ("pets.xlsx:1", (40, 3))


def test_the_sheet_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "pets.xlsx"
    write(path, {"notes": [["x", "y"], [1, 2]], "pets": pets()})
    assert read_workbook(path, "pets").names == ["weight", "indoor", "born", "kind"]
    with pytest.raises(DataError, match=r"there is no sheet 'pet'; did you mean 'pets'\?"):
        read_workbook(path, "pet")


def test_cells_as_texts() -> None:
    moment = datetime.datetime(2020, 1, 2, 3, 4)
    cells = (None, 2.0, 2.5, True, moment, moment.replace(hour=0, minute=0), " a ")
    assert list(map(cell_text, cells)) == [
        *("", "2", "2.5", "True", "2020-01-02T03:04:00", "2020-01-02", "a"),
    ]


def test_what_is_no_workbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.xlsx"
    with pytest.raises(DataError, match="there is no such file"):
        read_workbook(path)
    path.write_bytes(b"PK")
    with pytest.raises(DataError, match=r"cannot be read as a workbook: .*; save it as .xlsx or"):
        read_workbook(path)
    write(path, {"a": [["x"]]})
    with pytest.raises(DataError, match="has no row below a header"):
        read_workbook(path)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(DataError, match=r'pip install "sevensteps\[excel\]"'):
        read_workbook(path)
