"""Tables of your own in workbooks of Excel."""

from __future__ import annotations

import datetime
from dataclasses import KW_ONLY
from pathlib import Path
from typing import Any

from sevensteps.data.dataset import Data
from sevensteps.data.formats.library_errors import short_reason
from sevensteps.data.sources import Source
from sevensteps.data.table.options import TableOptions, check_options
from sevensteps.data.table.table_to_data import load_table
from sevensteps.data.table.text_table import TextTable, make_header
from sevensteps.errors import DataError, nearest, no_such_file
from sevensteps.notation import value

__all__ = ["excel"]

MAX_CELLS = 20_000_000  # of a sheet


@value
class excel(Source, TableOptions):
    """a table of your own in Excel (.xlsx): one column to predict

    As `csv`, but that the cells say what they are. The first sheet that has a table, or that called
    `sheet`; its first line that has cells is the header. Of a formula the value is read that Excel
    computed last. Needs openpyxl: pip install "sevensteps[excel]". Source: ECMA-376, Office Open
    XML.
    """

    path: str
    _: KW_ONLY
    sheet: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)

    def load(self, data_dir: Path | None = None) -> Data:
        return load_table(self.table(), self)

    def table(self) -> TextTable:
        """The sheet as a table."""
        return read_workbook(Path(self.path), self.sheet)


def read_workbook(path: Path, sheet: str | None = None) -> TextTable:
    """A sheet of the workbook at `path`. Raises `DataError`."""
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise DataError(
            f"{path}: needs openpyxl, which is not installed; install it with: pip install "
            '"sevensteps[excel]"'
        ) from None
    if not path.is_file():
        raise no_such_file(path, "give a .xlsx")
    try:
        # the file stays open while its sheets are read
        with path.open("rb") as file:
            workbook = load_workbook(file, read_only=True, data_only=True)
            names = [each.title for each in workbook.worksheets]
            if sheet is not None and sheet not in names:
                raise DataError(f"{path}: there is no sheet '{sheet}'; {nearest(sheet, names)}")
            for each in workbook.worksheets:
                if sheet in (None, each.title) and (lines := _lines(path, each)):
                    return _table(path, each.title, names, lines)
    except DataError:
        raise
    # a workbook is a program of its own, and lets out whatever error the bytes lead to
    except Exception as failure:
        raise DataError(
            f"{path}: cannot be read as a workbook: {short_reason(failure)}; save it as .xlsx or "
            ".csv"
        ) from None
    raise DataError(f"{path}: has no row below a header; give at least two")


def _lines(path: Path, sheet: Any) -> list[list[str]]:
    """The rows of a sheet that have any cell, as texts; none where there are fewer than two."""
    lines: list[list[str]] = []
    cells = 0
    for row in sheet.iter_rows(values_only=True):
        line = [cell_text(cell) for cell in row]
        if any(line):
            lines.append(line)
            cells += len(line)
        if cells > MAX_CELLS:
            raise DataError(f"{path}: has more than {MAX_CELLS:,} cells; save it as .parquet")
    return lines if len(lines) > 1 else []


def _table(path: Path, title: str, names: list[str], lines: list[list[str]]) -> TextTable:
    # columns without any cell are margins
    width = max(map(len, lines))
    lines = [line + [""] * (width - len(line)) for line in lines]
    filled = [place for place in range(width) if any(line[place] for line in lines)]
    lines = [[line[place] for place in filled] for line in lines]
    header, is_named = make_header(lines[0])
    notes = [] if len(names) == 1 else [f"read the sheet {title}, of {', '.join(names)}"]
    if not is_named:
        notes.append(f"named the columns column 1 to column {len(header)}")
    return TextTable(str(path), path.name, header, lines[1:] if is_named else lines, tuple(notes))


def cell_text(cell: Any) -> str:
    """A value as a text that a table reads back."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date().isoformat()
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    return str(cell).strip()
