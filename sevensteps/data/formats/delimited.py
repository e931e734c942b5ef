"""Text files of rows: their encoding and their separator, found by looking at the first lines."""

from __future__ import annotations

import codecs
import csv as csv_module
import gzip
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from sevensteps.data.formats.library_errors import short_reason
from sevensteps.errors import DataError

SEPARATORS = {"tab": "\t", "\\t": "\t", "space": " "}  # words for those that are hard to type
CANDIDATES = (",", ";", "\t", "|")
SAMPLE = 65_536  # bytes, or characters, that are looked at
LINES = 50
NO_TEXT = tuple(bytes([code]) for code in (*range(9), *range(14, 27)))  # characters of no text
MAX_LINE = 16_000_000  # characters, so that a file without line ends does not fill the memory


def read_records(path: Path, separator: str = "auto") -> Iterator[list[str]]:
    """The cells of each line that has any, a header among them. Raises `DataError` for what cannot
    be read as a CSV.
    """
    try:
        with open_text(path)[0] as file:
            lines = _lines(path, file)
            if separator == " ":  # of which there may be several in a row
                for line in lines:
                    if cells := line.split():
                        yield [cell.strip('"') for cell in cells]
                return
            for cells in csv_module.reader(lines, delimiter=separator):
                if any(cell.strip() for cell in cells):
                    yield cells
    except (OSError, EOFError, UnicodeError, csv_module.Error) as failure:
        raise DataError(f"{path}: cannot be read as a CSV: {short_reason(failure)}") from None


def _open_bytes(path: Path) -> Any:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")


def open_text(path: Path) -> tuple[TextIO, str]:
    """The file as text, and its encoding: that of its mark, UTF-8, else the Western one of
    Windows.
    """
    encoding = _encoding(path)
    return io.TextIOWrapper(_open_bytes(path), encoding=encoding, newline=""), encoding


def _encoding(path: Path) -> str:
    with _open_bytes(path) as file:
        start = file.read(SAMPLE)
        if start.startswith((b"\xff\xfe", b"\xfe\xff")):
            return "utf-16"
        even, odd = start[::2].count(0), start[1::2].count(0)
        if max(even, odd) > max(len(start) / 4, 4 * min(even, odd)):
            return "utf-16-le" if odd > even else "utf-16-be"  # every other byte of a letter is 0
        if sum(start.count(byte) for byte in NO_TEXT) > len(start) / 1000:
            raise DataError(f"{path}: is no text file; give a table as .csv, .xlsx or .parquet")
        utf8 = codecs.getincrementaldecoder("utf-8")()
        try:
            while start:
                utf8.decode(start)
                start = file.read(1 << 20)
            utf8.decode(b"", True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8-sig"


def find_separator(path: Path) -> str:
    """The separator of a file: of comma, semicolon, tab and bar the one that cuts its first lines
    into the most cells, as many in each; a comma where none does; a space where the columns are
    aligned.
    """
    with open_text(path)[0] as file:
        try:
            text = file.read(SAMPLE)
        except UnicodeError:
            return ","
    lines = text.splitlines()
    lines = [line for line in (lines[:-1] if len(text) == SAMPLE else lines) if line.strip()]
    best, most = ",", 1.0
    for separator in CANDIDATES:
        # few lines of many columns: one that is quoted over several lines is cut too
        counts = [len(cells) for cells in _cut(lines[:LINES], separator) if cells]
        if not counts:
            continue
        width, times = Counter(counts).most_common(1)[0]
        score = width * (times / len(counts)) ** 2
        if width > 1 and times > 0.5 * len(counts) and score > most:
            best, most = separator, score
    if most == 1.0 and len(lines) > 1:
        widths = {len(line.split()) for line in lines[:LINES]}
        if len(widths) == 1 and widths.pop() > 1 and not any("," in line for line in lines[:LINES]):
            return " "
    return best


def _cut(lines: list[str], separator: str) -> list[list[str]]:
    try:
        return list(csv_module.reader(lines, delimiter=separator))
    except csv_module.Error:
        return []


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
