"""Infers what a column is of: numbers, yes and no, dates, or texts."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy

from sevensteps.data.table.cell_parsing import NUMERIC_KINDS
from sevensteps.data.table.cells import Cells
from sevensteps.data.table.column_encoding import Column
from sevensteps.errors import DataError

MAX_CATEGORIES = 200  # different texts of one column that become an input each
# different texts that are stored to be looked at; a column of numbers may have as many as there
# are rows
MAX_TEXTS = 100_000


class ColumnInference:
    """Infers the `Column` called `name` from its cells, block by block."""

    def __init__(self, name: str) -> None:
        self.name, self.where = name, ""
        self.possible_kinds = list(NUMERIC_KINDS)  # that fit all cells so far; else it is texts
        self.texts: set[str] = set()
        self.present_cells = self.number_cells = 0  # that are not missing; that are a number
        self.first_non_number: tuple[str, str] | None = None  # where it is, and what it says

    def add(self, cells: Cells) -> None:
        """Look at some more cells. Raises `DataError` for a number that no network can take in."""
        missing = cells.missing
        self.where = self.where or cells.where
        self.present_cells += len(cells) - int(missing.sum())
        if cells.kind != "category":
            self.possible_kinds = [kind for kind in self.possible_kinds if kind == cells.kind]
            unusable = numpy.isnan(cells.numbers(cells.kind)) & ~missing
            if unusable.any():
                place = int(unusable.argmax())
                raise self._not_a_number(cells.location(place), cells.excerpt(place))
            return
        if not cells.texts:
            return
        used = numpy.zeros(len(cells.texts) + 1, dtype=bool)
        used[cells.values] = True  # a dictionary may hold texts that no row has
        used = used[:-1]
        self.possible_kinds = [
            kind
            for kind in self.possible_kinds
            if not numpy.isnan(cells.parsed_texts(kind)[:-1][used]).any()
        ]
        is_number = ~numpy.isnan(cells.numbers("number"))
        self.number_cells += int(is_number.sum())
        other = ~is_number & ~missing
        if self.first_non_number is None and other.any():
            place = int(other.argmax())
            self.first_non_number = cells.location(place), cells.excerpt(place)
        if len(self.texts) <= MAX_TEXTS:
            self.texts.update(
                text for text, is_used in zip(cells.texts, used.tolist(), strict=True) if is_used
            )

    def column(self) -> Column:
        """The column that all these cells are of. Raises `DataError` where nothing can be learned
        from it.
        """
        if not self.present_cells:
            raise DataError(
                f"{self.where}: the column {self.name} is empty; leave it out with "
                f'drop=("{self.name}",)'
            )
        if self.possible_kinds:
            return Column(self.name, self.possible_kinds[0])
        if self.first_non_number is not None and self.number_cells > 0.9 * self.present_cells:
            raise self._not_a_number(*self.first_non_number)
        if len(self.texts) > MAX_CATEGORIES:
            count = (
                f"{len(self.texts):,}"
                if len(self.texts) <= MAX_TEXTS
                else f"more than {MAX_TEXTS:,}"
            )
            first = textwrap.shorten(min(self.texts), 30)
            raise DataError(
                f"{self.where}: the column {self.name} has {count} different texts, from '{first}' "
                f"on, and an input for each is too many (at most {MAX_CATEGORIES}); leave it out "
                f'with drop=("{self.name}",)'
            )
        return Column(self.name, "category", tuple(sorted(self.texts)))

    def _not_a_number(self, where: str, text: str) -> DataError:
        return DataError(
            f"{where} has {self.name} '{text}' in a column of numbers; mend it, or leave the "
            f'column out with drop=("{self.name}",)'
        )


def infer_column(name: str, cells: Cells | Sequence[str], where: str = "") -> Column:
    """The column that these cells are of. Raises `DataError` where nothing can be learned."""
    inference = ColumnInference(name)
    inference.where = where
    inference.add(cells if isinstance(cells, Cells) else Cells.of(cells, where))
    return inference.column()
