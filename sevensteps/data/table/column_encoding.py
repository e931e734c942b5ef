"""The columns of a table and how their cells become inputs, stored with the run.

So `predict` encodes new rows as the training did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy
from numpy.typing import NDArray

from sevensteps.data.table.cell_parsing import Kind
from sevensteps.data.table.cells import Cells
from sevensteps.errors import DataError, nearest

KIND_WORDS = {"number": "a number", "flag": "yes or no", "date": "a date (2024-12-31)"}


@dataclass(frozen=True)
class Column:
    """One column of a table, and how its cells become inputs.

    A number is itself, yes or no 1 or 0, a date the days since 1970, a text an input for each of
    its `values`.

    `fill` is what a missing number is taken for, learned on the training part; without it a missing
    cell is refused. A missing text is none of the values where `fill` is a number.
    """

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
        missing = cells.missing
        if self.kind != "category":
            numbers = cells.numbers(self.kind)
            self._check(cells, numpy.isnan(numbers) & ~missing, missing)
            return numpy.where(missing, self.fill or 0.0, numbers)[:, None]
        cells = cells.as_texts()
        places = {value: place for place, value in enumerate(self.values)}
        codes = numpy.array([*(places.get(text, -1) for text in cells.texts), -1])[cells.values]
        self._check(cells, (codes < 0) & ~missing, missing)
        one_hot = numpy.zeros((len(cells), len(self.values)))
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
                'missing="fill"'
            )
        if self.kind == "category":
            raise DataError(
                f"{where} has {self.name} '{cells.excerpt(row)}', which is none of those "
                f"trained on; {nearest(cells.texts[cells.values[row]], self.values)}"
            )
        raise DataError(
            f"{where} has {self.name} '{cells.excerpt(row)}', where {KIND_WORDS[self.kind]} belongs"
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
        return [asdict(column) for column in self.columns]

    @staticmethod
    def from_dict(stored: Sequence[Mapping[str, Any]]) -> Encoding:
        """The encoding that `to_dict` wrote. Raises KeyError, TypeError or ValueError for anything
        else.
        """
        columns = []
        for column in stored:
            if column["kind"] not in ("number", "flag", "date", "category"):
                raise ValueError(f"a column of kind {column['kind']!r}")
            fill = None if column["fill"] is None else float(column["fill"])
            columns.append(
                Column(str(column["name"]), column["kind"], tuple(map(str, column["values"])), fill)
            )
        return Encoding(tuple(columns))
