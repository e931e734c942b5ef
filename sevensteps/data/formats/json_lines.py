"""Tables of your own as JSON: an object for each row."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sevensteps.data.dataset import Data
from sevensteps.data.formats.excel import cell_text
from sevensteps.data.sources import Source
from sevensteps.data.table.options import TableOptions, check_options
from sevensteps.data.table.table_to_data import load_table
from sevensteps.data.table.text_table import TextTable
from sevensteps.errors import DataError
from sevensteps.notation import value

__all__ = ["json_lines"]

MAX_BYTES = 2 << 30
MAX_COLUMNS = 10_000


@value
class json_lines(Source, TableOptions):
    """a table of your own, JSON lines (.jsonl): one column to predict

    As `csv`. Each line is an object that has the cells of a row by the name of their column; or the
    file is one list of such objects, or one object that has a list for each column. Objects in a
    row become columns of their own, a list a text. Source: JSON Lines.
    """

    path: str

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)

    def load(self, data_dir: Path | None = None) -> Data:
        return load_table(self.table(), self)

    def table(self) -> TextTable:
        """The file as a table."""
        return read_json(Path(self.path))


def read_json(path: Path) -> TextTable:
    """The rows of the file at `path` as a table. Raises `DataError`."""
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; give a .jsonl")
    header: dict[str, int] = {}
    rows: list[dict[str, str]] = []
    for row in _objects(path):
        cells = dict(_flat(row))
        for name in cells:
            header.setdefault(name, len(header))
        rows.append(cells)
        if len(header) > MAX_COLUMNS:
            raise DataError(f"{path}: has more than {MAX_COLUMNS:,} columns; is it a table?")
    if not rows or not header:
        raise DataError(f"{path}: has no row; give at least two")
    return TextTable(
        str(path), path.name, list(header), [[row.get(name, "") for name in header] for row in rows]
    )


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
        if len(content) > MAX_BYTES:
            raise DataError(f"{path}: is larger than {MAX_BYTES >> 30} GB; save it as .parquet")
        text = content.decode(
            "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        )
    except (OSError, EOFError, UnicodeDecodeError) as failure:
        raise DataError(f"{path}: cannot be read as JSON: {failure}") from None
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        yield from _lines(path, text)
        return
    if isinstance(whole, dict) and whole and all(isinstance(v, list) for v in whole.values()):
        longest = max(map(len, whole.values()))
        yield from ({k: v[i] for k, v in whole.items() if i < len(v)} for i in range(longest))
        return
    for row, item in enumerate(whole if isinstance(whole, list) else [whole], 1):
        yield _object(path, row, item)


def _lines(path: Path, text: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
        except (ValueError, RecursionError) as failure:
            reason = getattr(failure, "msg", failure)
            raise DataError(f"{path}: line {number} cannot be read as JSON: {reason}") from None
        yield _object(path, number, item)


def _object(path: Path, row: int, item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise DataError(
            f"{path}: row {row} is a {type(item).__name__}, not an object with the cells of a row"
        )
    return item


def _flat(row: dict[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """The cells of a row; an object in it gives a cell for each of its own."""
    for name, cell in row.items():
        if isinstance(cell, dict) and before.count(".") < 3:
            yield from _flat(cell, f"{before}{name}.")
        else:
            is_text = isinstance(cell, list | dict)
            yield before + name, json.dumps(cell) if is_text else cell_text(cell)
