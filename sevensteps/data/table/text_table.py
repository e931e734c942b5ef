"""A table whose cells are texts, in memory: each text of a column is stored once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sevensteps.data.table.cell_parsing import is_missing, parse_cell
from sevensteps.data.table.cells import Cells
from sevensteps.data.table.table import Block, Table


class TextTable(Table):
    """A table of texts under a header."""

    def __init__(
        self,
        where: str,
        title: str,
        header: Sequence[str],
        rows: Sequence[Sequence[str]],
        notes: tuple[str, ...] = (),
        may_have_commas: bool = False,
    ) -> None:
        self.where, self.title, self.names = where, title, list(header)
        self.notes, self.may_have_commas = notes, may_have_commas
        self.columns = {
            name: Cells.of((row[place] for row in rows), where)
            for place, name in enumerate(self.names)
        }

    def blocks(self, names: Sequence[str]) -> Iterator[Block]:
        yield {name: self.columns[name] for name in names}


def make_header(cells: Sequence[str]) -> tuple[list[str], bool]:
    """Names for the columns, each another, and whether the cells of the first line are those names:
    where all are numbers, the columns are numbered.

    >>> make_header(["", "x", "x"]), make_header(["1", "2.5"])
    ((['column 1', 'x', 'x (2)'], True), (['column 1', 'column 2'], False))
    """
    is_named = not all(
        parse_cell(cell, "number", "1,234.5") is not None or is_missing(cell) for cell in cells
    )
    header: list[str] = []
    used: dict[str, int] = {}  # how often
    for place, cell in enumerate(cells, 1):
        name = " ".join(cell.split()) if is_named else ""
        name = unique = name or f"column {place}"
        while unique in used:
            used[name] = times = used.get(name, 1) + 1
            unique = f"{name} ({times})"
        used[unique] = 1
        header.append(unique)
    return header, is_named
