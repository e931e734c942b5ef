"""The columns of a table and how their cells become inputs, stored with the run.

So `predict` encodes new rows as the training did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy
from numpy.typing import NDArray

from sevensteps.data.table.calendar import PARTS, encode_calendar
from sevensteps.data.table.cell_parsing import NUMERIC_KINDS, Kind
from sevensteps.data.table.cells import Cells
from sevensteps.errors import DataError, nearest, option

KIND_WORDS = {"number": "a number", "flag": "yes or no", "date": "a date (2024-12-31)"}


@dataclass(frozen=True)
class Column:
    """One column of a table, and how its cells become inputs.

    A number is itself, yes or no 1 or 0, a date the days since 1970 and the places of the day in
    each of the cycles in `calendar`, a text an input for each of its `values`; `style` says how
    numbers and dates are written (see `cell_parsing`).

    `fill` is what a missing number is taken for, learned on the training part; without it a missing
    cell is refused. A missing text is none of the values where `fill` is a number. Where cells are
    missing in the training part, `flag` adds an input that is 1 for them. `others`: texts that are
    none of the values share an input. `lenient`: a cell of another kind counts as missing.
    """

    name: str
    kind: Kind
    values: tuple[str, ...] = ()
    fill: float | None = None
    style: str = ""
    flag: bool = False
    others: bool = False
    lenient: bool = False
    calendar: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """The inputs that come of it, by name."""
        inputs = [self.name]
        if self.kind == "category":
            inputs = [f"{self.name}={value}" for value in self.values]
            inputs += [f"{self.name}: other"] if self.others else []
        inputs += [f"{self.name}: {part}" for cycle in self.calendar for part in PARTS[cycle]]
        return (*inputs, *([f"{self.name}: missing"] if self.flag else []))

    def encode(self, cells: Cells | Sequence[str], where: str = "") -> NDArray[numpy.float64]:
        """The cells as [N, F]. Raises `DataError` with the row, counted from 1, for a cell that is
        of another kind, unknown or missing.
        """
        if not isinstance(cells, Cells):
            cells = Cells.of(cells, where)
        missing = cells.missing
        if self.kind == "category":
            inputs = self._one_hot(cells.as_texts(), missing)
        else:
            numbers = cells.numbers(self.kind, self.style)
            if self.lenient:
                missing = numpy.isnan(numbers)
            self._check(cells, numpy.isnan(numbers) & ~missing, missing)
            numbers = numpy.where(missing, self.fill or 0.0, numbers)
            inputs = numpy.column_stack([numbers, *encode_calendar(numbers, self.calendar)])
        return numpy.column_stack([inputs, missing]) if self.flag else inputs

    def _one_hot(self, cells: Cells, missing: NDArray[numpy.bool_]) -> NDArray[numpy.float64]:
        unknown = len(self.values) if self.others else -1
        places = {value: place for place, value in enumerate(self.values)}
        codes = numpy.array([*(places.get(text, unknown) for text in cells.texts), -1])[
            cells.values
        ]
        self._check(cells, (codes < 0) & ~missing, missing)
        one_hot = numpy.zeros((len(cells), len(self.values) + self.others))
        present = numpy.flatnonzero(~missing)
        one_hot[present, codes[present]] = 1
        return one_hot

    def _check(
        self, cells: Cells, unknown: NDArray[numpy.bool_], missing: NDArray[numpy.bool_]
    ) -> None:
        refused = unknown if self.fill is not None else unknown | missing
        if not refused.any():
            return
        row = int(refused.argmax())
        where = cells.location(row)
        if missing[row]:
            raise DataError(
                f"{where} has no {self.name}; fill it in, leave the row out, or train with "
                f"{option('missing', 'fill')}"
            )
        if self.kind == "category":
            raise DataError(
                f"{where} has {self.name} '{cells.excerpt(row)}', which is none of those "
                f"trained on; {nearest(cells.texts[cells.values[row]], self.values)}"
            )
        raise DataError(
            f"{where} has {self.name} '{cells.excerpt(row)}', where {KIND_WORDS[self.kind]} belongs"
        )

    def to_dict(self) -> dict[str, Any]:
        """The column as JSON holds it; what was added later is left out where it is not used."""
        stored = asdict(self)
        return {
            field.name: stored[field.name]
            for field in fields(self)
            if field.name in ("name", "kind", "values", "fill")
            or stored[field.name] != field.default
        }

    @staticmethod
    def from_dict(stored: Mapping[str, Any]) -> Column:
        """The column that `to_dict` wrote. Raises KeyError, TypeError or ValueError for anything
        else.
        """
        if stored["kind"] not in (*NUMERIC_KINDS, "category"):
            raise ValueError(f"a column of kind {stored['kind']!r}")
        cycles = tuple(map(str, stored.get("calendar", ())))
        if unknown := set(cycles) - set(PARTS):
            raise ValueError(f"a calendar of {unknown}")
        return Column(
            str(stored["name"]),
            stored["kind"],
            tuple(map(str, stored["values"])),
            None if stored["fill"] is None else float(stored["fill"]),
            str(stored.get("style", "")),
            bool(stored.get("flag", False)),
            bool(stored.get("others", False)),
            bool(stored.get("lenient", False)),
            cycles,
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
        x = numpy.empty((len(next(iter(block.values()))), len(self.features)), dtype)
        first = 0
        for column in self.columns:
            inputs = column.encode(block[column.name])
            x[:, first : first + inputs.shape[1]] = inputs
            first += inputs.shape[1]
        return x

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
        """The columns as JSON holds them."""
        return [column.to_dict() for column in self.columns]

    @staticmethod
    def from_dict(stored: Sequence[Mapping[str, Any]]) -> Encoding:
        """The encoding that `to_dict` wrote. Raises KeyError, TypeError or ValueError for anything
        else.
        """
        return Encoding(tuple(map(Column.from_dict, stored)))
