"""The cells of one column of a table, from whatever file: numbers, or texts as places in a list."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy
from numpy.typing import NDArray

from sevensteps.data.table.cell_parsing import MAX_NUMBER, Kind, format_cell, is_missing, parse_cell


@dataclass(frozen=True, eq=False)
class Cells:
    """Some rows of one column.

    Of the kind "number", "flag" or "date", `values` are float64 as a network takes them, nan where
    a cell is missing; of the kind "category" they are places in `texts`, -1 where one is missing.
    `where` is the file as messages name it, `start` how many of its rows come before these, `rows`
    the places of these in the file where some between them were left out.
    """

    kind: Kind
    values: NDArray[Any]
    texts: tuple[str, ...] = ()
    where: str = ""
    start: int = 0
    rows: NDArray[Any] | None = None
    # the texts as numbers of a kind and style, once somebody has asked
    parsed: dict[tuple[Kind, str], NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    @staticmethod
    def of(texts: Iterable[str], where: str = "", start: int = 0) -> Cells:
        """Cells from texts, one for each row."""
        places: dict[str, int] = {}
        codes = numpy.array(
            [places.setdefault(text, len(places)) for text in texts], dtype=numpy.int32
        )
        return Cells.from_codes(codes, list(places), where, start)

    @staticmethod
    def from_codes(
        codes: NDArray[Any], texts: Sequence[str | None], where: str = "", start: int = 0
    ) -> Cells:
        """Cells from places in `texts`, of which several may mean the same and any may mean that
        the cell is missing; so does the place -1.
        """
        places: dict[str, int] = {}
        table = [
            -1 if text is None or is_missing(text) else places.setdefault(text.strip(), len(places))
            for text in texts
        ]
        new_codes = numpy.array([*table, -1], dtype=numpy.int32)  # the last is what -1 points to
        return Cells("category", new_codes[codes], tuple(places), where, start)

    @property
    def missing(self) -> NDArray[numpy.bool_]:
        """Which cells are missing."""
        mask: NDArray[numpy.bool_] = (
            self.values < 0 if self.kind == "category" else numpy.isnan(self.values)
        )
        return mask

    def take(self, rows: NDArray[Any]) -> Cells:
        """Some of the rows, by their places here."""
        return replace(
            self, values=self.values[rows], rows=rows if self.rows is None else self.rows[rows]
        )

    def numbers(self, kind: Kind, style: str = "") -> NDArray[numpy.float64]:
        """The cells as numbers of this kind and style, nan where one is missing or something
        else.
        """
        if self.kind == kind:
            return numpy.where(numpy.abs(self.values) <= MAX_NUMBER, self.values, numpy.nan)
        if self.kind != "category":
            return self.as_texts().numbers(kind, style)
        numbers: NDArray[numpy.float64] = self.parsed_texts(kind, style)[self.values]
        return numbers

    def parsed_texts(self, kind: Kind, style: str = "") -> NDArray[numpy.float64]:
        """Each of the texts as a number of this kind and style, nan where it is something else;
        and one nan more, for the place -1.
        """
        if (kind, style) not in self.parsed:
            numbers = [parse_cell(text, kind, style) for text in self.texts]
            self.parsed[kind, style] = numpy.array(
                [*(math.nan if number is None else number for number in numbers), math.nan]
            )
        return self.parsed[kind, style]

    def as_texts(self) -> Cells:
        """These cells as cells of the kind "category", numbers as texts."""
        if self.kind == "category":
            return self
        missing = self.missing
        distinct, places = numpy.unique(self.values[~missing], return_inverse=True)
        codes = numpy.full(len(self), -1, dtype=numpy.int32)
        codes[~missing] = places.reshape(-1)
        texts = tuple(format_cell(value, self.kind) for value in distinct.tolist())
        return replace(self, kind="category", values=codes, texts=texts, parsed={})

    def location(self, place: int) -> str:
        """Where a cell stands, as messages say it: the file and the row, counted from 1."""
        row = place if self.rows is None else int(self.rows[place])
        return f"{self.where}: row {self.start + 1 + row}"

    def excerpt(self, place: int) -> str:
        """One cell as text, in at most 40 characters."""
        value = self.values[place]
        return textwrap.shorten(
            self.texts[value] if self.kind == "category" else format_cell(float(value), self.kind),
            40,
        )


def concatenate_cells(blocks: Sequence[Cells]) -> Cells:
    """The blocks of one column, all of the same kind, as one."""
    first = blocks[0]
    if len(blocks) == 1:
        return first
    if first.kind != "category":
        values = numpy.concatenate([block.values for block in blocks])
        return replace(first, values=values, rows=None)
    places: dict[str, int] = {}
    codes = []
    for block in blocks:
        table = numpy.array(
            [*(places.setdefault(text, len(places)) for text in block.texts), -1],
            dtype=numpy.int32,
        )
        codes.append(table[block.values])
    return Cells("category", numpy.concatenate(codes), tuple(places), first.where)
