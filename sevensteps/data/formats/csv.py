"""Tables of your own in CSV files: a header, and one column that is to be predicted."""

from __future__ import annotations

import csv as csv_module
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from pathlib import Path
from typing import TextIO

from sevensteps.data.dataset import Data
from sevensteps.data.formats.library_errors import short_reason
from sevensteps.data.sources import Source
from sevensteps.data.table.cell_parsing import parse_cell
from sevensteps.data.table.cells import Cells
from sevensteps.data.table.table import Block, Table, name_columns
from sevensteps.data.table.table_to_data import check_options, load_table
from sevensteps.errors import ArgumentError, DataError
from sevensteps.notation import value

__all__ = ["csv"]

MAX_LINE = 16_000_000  # characters, so that a file without line ends does not fill the memory
MAX_CELL = 10_000  # characters
MAX_CELLS = 50_000_000  # of a file, which are some gigabytes as Python's texts


@value
class csv(Source):
    """a table of your own: a CSV with a header, one column to predict

    Columns of numbers are taken as they are, yes and no as 1 and 0, dates as days, of texts each
    value becomes an input. Texts, yes and no and few whole numbers in the target are classes, other
    numbers are amounts. `drop` names columns to leave out; `missing` is "refuse", "fill" (with the
    mean of the training part) or "drop" (the row). Split 80/20, each class alike. Scale:
    standardize, amounts too. Source: RFC 4180, Common Format for CSV Files.
    """

    path: str
    _: KW_ONLY
    target: str | None = None
    drop: tuple[str, ...] = ()
    missing: str = "refuse"
    separator: str = ","
    valid: float = 0.2
    scale: str = "default"
    target_scale: str = "default"
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)
        if len(str(self.separator)) != 1:
            raise ArgumentError(f"separator must be one character, not {self.separator!r}")

    def load(self, data_dir: Path | None = None) -> Data:
        return load_table(read_table(Path(self.path), self.separator), self)


class CsvTable(Table):
    """A CSV, in memory: each text of a column is stored once."""

    def __init__(self, path: Path, header: list[str], rows: list[list[str]]) -> None:
        self.where, self.title, self.names = str(path), path.name, header
        self.columns = {
            name: Cells.of((row[place] for row in rows), str(path))
            for place, name in enumerate(header)
        }

    def blocks(self, names: Sequence[str]) -> Iterator[Block]:
        yield {name: self.columns[name] for name in names}


def read_table(path: Path, separator: str = ",") -> CsvTable:
    """The CSV at `path`, whose first line must be a header, and each row as long as that. Raises
    `DataError` with the row, counted from 1 below the header.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; give a .csv")
    rows: list[list[str]] = []
    header: list[str] = []
    for cells in read_records(path, separator):
        if not header:
            header = _check_header(path, cells, separator)
            continue
        if len(cells) != len(header):
            raise DataError(
                f"{path}: row {len(rows) + 1} has {len(cells)} cells under a header of "
                f"{len(header)}; give one for each"
            )
        if max(map(len, cells)) > MAX_CELL:
            raise DataError(
                f"{path}: row {len(rows) + 1} has a cell of more than {MAX_CELL:,} characters; "
                "texts that long cannot be inputs"
            )
        rows.append(cells)
        if len(rows) * len(header) > MAX_CELLS:
            raise DataError(
                f"{path}: has more than {MAX_CELLS:,} cells; save it as numbers in a .npz"
            )
    if not rows:
        raise DataError(
            f"{path}: has no row below its header; give at least two"
            if header
            else f"{path}: is empty"
        )
    return CsvTable(path, header, rows)


def read_records(path: Path, separator: str = ",") -> Iterator[list[str]]:
    """The cells of each line of a CSV that has any, a header among them. Raises `DataError` for
    what cannot be read as a CSV.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for cells in csv_module.reader(_lines(path, file), delimiter=separator):
                if any(cell.strip() for cell in cells):
                    yield cells
    except (OSError, UnicodeDecodeError, csv_module.Error) as failure:
        raise DataError(f"{path}: cannot be read as a CSV: {short_reason(failure)}") from None


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    """The lines of a text file. Raises `DataError` for one that is longer than any line of a table,
    before it is read to its end.
    """
    count = 0
    while line := file.readline(MAX_LINE):
        count += 1
        if len(line) == MAX_LINE:
            raise DataError(
                f"{path}: line {count} has more than {MAX_LINE:,} characters; is it a table?"
            )
        yield line


def _check_header(path: Path, cells: list[str], separator: str) -> list[str]:
    """The names in the first line. Raises `DataError` where it is no header."""
    header = [cell.strip() for cell in cells]
    if all(parse_cell(cell) is not None for cell in header):
        raise DataError(
            f"{path}: has no header: its first line is {name_columns(header)}; name the columns "
            "in a first line"
        )
    if len(header) == 1 and (
        other := next((mark for mark in ";\t|" if mark in header[0] and mark != separator), None)
    ):
        raise DataError(
            f"{path}: has one column, '{header[0][:60]}'; is the separator {other!r}? Then say "
            f"separator={other!r}"
        )
    names: set[str] = set()  # as there may be a hundred thousand columns
    for name in header:
        if not name:
            raise DataError(
                f"{path}: column {header.index(name) + 1} has no name in the header; give it one"
            )
        if name in names:
            raise DataError(f"{path}: two columns are called {name}; give each a name of its own")
        names.add(name)
    return header
