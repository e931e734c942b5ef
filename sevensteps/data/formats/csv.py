"""Tables of your own in text files: a header, and one column that is to be predicted."""

from __future__ import annotations

from dataclasses import KW_ONLY
from pathlib import Path

from sevensteps.data.dataset import Data
from sevensteps.data.formats.delimited import SEPARATORS, find_separator, open_text, read_records
from sevensteps.data.sources import Source
from sevensteps.data.table.options import TableOptions, check_options
from sevensteps.data.table.table_to_data import load_table
from sevensteps.data.table.text_table import TextTable, make_header
from sevensteps.errors import ArgumentError, DataError, no_such_file
from sevensteps.notation import value

__all__ = ["csv"]

MAX_CELL = 10_000  # characters of a cell that are looked at
MAX_CELLS = 50_000_000  # of a file, which are some gigabytes as Python's texts
WORDS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar", " ": "spaces"}


@value
class csv(Source, TableOptions):
    """a table of your own as text (.csv, .tsv): one column to predict

    Numbers are taken as they are, also 1,234.5 and 1.234,5, with a currency or %; yes and no as 1
    and 0, dates in the usual ways of writing as days, of texts each value becomes an input, of at
    most `values`. Texts, yes and no and few whole numbers in the target are classes, other numbers
    are amounts. `missing` is "fill" (with the mean of the training part, and an input that says
    so), "drop" (the row) or "refuse"; rows without a target are left out. What is empty, constant,
    a name or the number of the row is left out, but for the columns that `keep` names; `drop` names
    more to leave out. `dates` is "auto", "day_first" or "month_first". The separator is found
    ("auto"), or given: a character, "tab" or "space". Split 80/20, each class alike. Scale:
    standardize, amounts too. Source: RFC 4180, Common Format for CSV Files.
    """

    path: str
    _: KW_ONLY
    separator: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)
        mark = SEPARATORS.get(self.separator, self.separator)
        if mark != "auto" and len(str(mark)) != 1:
            raise ArgumentError(
                f"separator must be one character, tab, space or auto, not {self.separator!r}"
            )

    def load(self, data_dir: Path | None = None) -> Data:
        return load_table(self.table(), self)

    def table(self) -> TextTable:
        """The file as a table."""
        return read_table(Path(self.path), self.separator)


def read_table(path: Path, separator: str = "auto") -> TextTable:
    """The text file at `path` as a table, with the names of its first line. A row that ends early
    lacks the rest. Raises `DataError` with the row, counted from 1 below the header.
    """
    if not path.is_file():
        raise no_such_file(path, "give a .csv")
    try:
        mark = SEPARATORS.get(separator, separator)
        mark = find_separator(path) if mark == "auto" else mark
        file, encoding = open_text(path)
        file.close()
    except OSError as failure:
        raise DataError(f"{path}: cannot be read: {failure.strerror or failure}") from None
    rows: list[list[str]] = []
    header: list[str] = []
    notes: list[str] = []
    is_shifted = False  # the rows have names, and the header no name for these, as R writes it
    for cells in read_records(path, mark):
        if not header:
            if len(cells) == 1 and cells[0].startswith("#"):
                continue  # a remark above the table
            header, is_named = make_header(cells)
            if not is_named:
                notes.append(
                    f"named the columns column 1 to column {len(header)}, as the first line has "
                    "numbers"
                )
                rows.append(cells)
            continue
        while len(cells) > len(header) and not cells[-1].strip():
            cells.pop()
        if not rows and len(cells) == len(header) + 1:
            is_shifted, header = True, make_header(["", *header])[0]
        if len(cells) > len(header) or (is_shifted and len(cells) < len(header)):
            raise DataError(
                f"{path}: row {len(rows) + 1} has {len(cells)} cells under a header of "
                f"{len(header) - is_shifted}; put quotes around a cell that holds the "
                "separator, or remove what is too many"
            )
        cells = [cell[:MAX_CELL] for cell in cells]
        rows.append(cells + [""] * (len(header) - len(cells)))
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
    if mark != ("\t" if path.suffix.lower() in (".tsv", ".tab") else ","):
        notes.append(f"read with {WORDS.get(mark, repr(mark))} as the separator")
    if encoding != "utf-8-sig":
        notes.append(
            f"read as {'Windows-1252, as it is not UTF-8' if encoding == 'cp1252' else 'UTF-16'}"
        )
    return TextTable(str(path), path.name, header, rows, tuple(notes), mark == ";")
