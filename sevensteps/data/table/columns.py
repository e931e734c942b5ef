"""The columns of a table and how their cells become numbers; kept with a run, so that `predict`
does the same.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy
from numpy.typing import NDArray

from sevensteps.data.table.cells import KINDS, Cells, Kind
from sevensteps.data.table.cells import (
    number as number,
)  # what a column of a kind makes of a text belongs to it
from sevensteps.errors import DataError, nearest

MAX_VALUES = 200  # different texts of one column that become an input each
# different texts that are kept to be looked at; a column of numbers may have as many as there are
# rows
MAX_HELD = 100_000
WORDS = {"number": "a number", "flag": "yes or no", "date": "a date (2024-12-31)"}


@dataclass(frozen=True)
class Column:
    """One column: a number is itself, yes or no 1 or 0, a date the days since 1970, a text an input for each of its `values`.

    `fill` is what a missing number is taken for, learned on the training part; without it a missing
    cell is refused. A missing text is none of the values where `fill` is a number."""

    name: str
    kind: Kind
    values: tuple[str, ...] = ()
    fill: float | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """The inputs that come of it, by name."""
        return (
            tuple(f"{self.name}={value}" for value in self.values)
            if self.kind == "category"
            else (self.name,)
        )

    def encode(self, cells: Cells | Sequence[str], where: str = "") -> NDArray[numpy.float64]:
        """The cells as [N, F]. Raises `DataError` with the row, counted from 1, for a cell that is
        of another kind, unknown or missing.
        """
        if not isinstance(cells, Cells):
            cells = Cells.of(cells, where)
        nothing = cells.missing
        if self.kind == "category":
            cells = cells.spelled()
            known = {value: place for place, value in enumerate(self.values)}
            found = numpy.array([*(known.get(text, -1) for text in cells.texts), -1])[cells.values]
            wrong = (found < 0) & ~nothing
        else:
            found = cells.numbers(self.kind)
            wrong = numpy.isnan(found) & ~nothing
        self._check(cells, wrong, nothing)
        if self.kind != "category":
            return numpy.where(nothing, self.fill or 0.0, found)[:, None]
        hot = numpy.zeros((len(cells), len(self.values)))
        held = numpy.flatnonzero(~nothing)
        hot[held, found[held]] = 1
        return hot

    def _check(self, cells: Cells, wrong: Any, nothing: Any) -> None:
        bad = wrong if self.fill is not None else wrong | nothing
        if not bad.any():
            return
        row = int(bad.argmax())
        if nothing[row]:
            raise DataError(
                f"{cells.at(row)} has no {self.name}; fill it in, leave the row out, or train "
                'with missing="fill"'
            )
        if self.kind == "category":
            raise DataError(
                f"{cells.at(row)} has {self.name} '{cells.shown(row)}', which is none of those "
                "trained on; "
                f"{nearest(cells.texts[cells.values[row]], self.values)}"
            )
        raise DataError(
            f"{cells.at(row)} has {self.name} '{cells.shown(row)}', where {WORDS[self.kind]} "
            "belongs"
        )


@dataclass(frozen=True)
class Encoding:
    """All columns that are inputs, in the order of the network's inputs."""

    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """The columns by name."""
        return [column.name for column in self.columns]

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the inputs."""
        return tuple(feature for column in self.columns for feature in column.features)

    def encode(self, block: Mapping[str, Cells], dtype: Any = numpy.float64) -> NDArray[Any]:
        """Some rows as inputs [N, F]; `block` has the cells of each column. By NumPy, as it may run
        beside a training.

        Raises `DataError`.
        """
        held, first = numpy.empty((len(next(iter(block.values()))), len(self.features)), dtype), 0
        for column in self.columns:
            part = column.encode(block[column.name])
            held[:, first : first + part.shape[1]] = part
            first += part.shape[1]
        return held

    def check(self, names: Iterable[str], where: str) -> None:
        """Raise `DataError` where a table with columns of these `names` lacks one that was trained
        on.
        """
        for name in self.names:
            if name not in names:
                raise DataError(
                    f"{where}: the column '{name}' is missing; the network was trained on "
                    f"{', '.join(self.names)}"
                )

    def to_dict(self) -> list[dict[str, Any]]:
        """As JSON can hold it."""
        return [asdict(column) for column in self.columns]

    @staticmethod
    def from_dict(held: Sequence[Mapping[str, Any]]) -> Encoding:
        """What `to_dict` gave. Raises KeyError, TypeError or ValueError for anything else."""
        columns = []
        for column in held:
            if column["kind"] not in ("number", "flag", "date", "category"):
                raise ValueError(f"a column of kind {column['kind']!r}")
            fill = None if column["fill"] is None else float(column["fill"])
            columns.append(
                Column(str(column["name"]), column["kind"], tuple(map(str, column["values"])), fill)
            )
        return Encoding(tuple(columns))


class Survey:
    """What a column turns out to be of, block by block: of numbers, yes and no, dates, or texts."""

    def __init__(self, name: str) -> None:
        self.name, self.where = name, ""
        self.kinds = list(KINDS)  # what it can still be
        self.texts: set[str] = set()
        self.held = self.numbers = 0  # cells with something in them, and with a number
        self.odd: tuple[str, str] | None = (
            None  # the first that is no number: where, and what it says
        )

    def add(self, cells: Cells) -> None:
        """Look at some more cells. Raises `DataError` for a number that no network can take in."""
        nothing = cells.missing
        self.where = self.where or cells.where
        self.held += len(cells) - int(nothing.sum())
        if cells.kind != "category":
            self.kinds = [kind for kind in self.kinds if kind == cells.kind]
            wrong = numpy.isnan(cells.numbers(cells.kind)) & ~nothing
            if wrong.any():
                raise self._odd(cells.at(int(wrong.argmax())), cells.shown(int(wrong.argmax())))
            return
        if not cells.texts:
            return
        here = numpy.zeros(len(cells.texts) + 1, dtype=bool)
        here[cells.values] = True  # a dictionary may hold texts that no row has
        here = here[:-1]
        self.kinds = [
            kind for kind in self.kinds if not numpy.isnan(cells.table(kind)[:-1][here]).any()
        ]
        is_number = ~numpy.isnan(cells.numbers("number"))
        self.numbers += int(is_number.sum())
        other = ~is_number & ~nothing
        if self.odd is None and other.any():
            self.odd = cells.at(int(other.argmax())), cells.shown(int(other.argmax()))
        if len(self.texts) <= MAX_HELD:
            self.texts.update(
                text for text, held in zip(cells.texts, here.tolist(), strict=True) if held
            )

    def column(self) -> Column:
        """The column that all these cells are of. Raises `DataError` where nothing can be learned
        from it.
        """
        if not self.held:
            raise DataError(
                f"{self.where}: the column {self.name} is empty; leave it out with "
                f'drop=("{self.name}",)'
            )
        if self.kinds:
            return Column(self.name, self.kinds[0])
        if self.odd is not None and self.numbers > 0.9 * self.held:
            raise self._odd(*self.odd)
        if len(self.texts) > MAX_VALUES:
            many = (
                f"{len(self.texts):,}" if len(self.texts) <= MAX_HELD else f"more than {MAX_HELD:,}"
            )
            first = textwrap.shorten(min(self.texts), 30)
            raise DataError(
                f"{self.where}: the column {self.name} has {many} different texts, from '{first}' "
                "on, and "
                f"an input for each is too many (at most {MAX_VALUES}); leave it out with "
                f'drop=("{self.name}",)'
            )
        return Column(self.name, "category", tuple(sorted(self.texts)))

    def _odd(self, where: str, text: str) -> DataError:
        return DataError(
            f"{where} has {self.name} '{text}' in a column of numbers; mend it, or leave the "
            "column out with "
            f'drop=("{self.name}",)'
        )


def infer(name: str, cells: Cells | Sequence[str], where: str = "") -> Column:
    """The column that these cells are of. Raises `DataError` where nothing can be learned."""
    found = Survey(name)
    found.where = where
    found.add(cells if isinstance(cells, Cells) else Cells.of(cells, where))
    return found.column()
