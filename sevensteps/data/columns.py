"""The columns of a table as a file has them, texts, and how they become numbers; kept with a run, so that `predict` does the same."""

from __future__ import annotations

import datetime
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from sevensteps.errors import DataError, nearest

Kind = Literal["number", "flag", "date", "category"]
KINDS: tuple[Kind, ...] = ("number", "flag", "date")  # those that are one number a cell
MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-"}  # in small letters
FLAGS = {"yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0}
MAX_VALUES = 200  # different texts of one column that become an input each
MAX_NUMBER = torch.finfo(torch.float32).max  # what the network computes in
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Column:
    """One column: a number is itself, yes or no 1 or 0, a date the days since 1970, a text an input for each of its `values`.

    `fill` is what a missing number is taken for, learned on the training part; without it a missing cell is refused. A missing text is
    none of the values where `fill` is a number.
    """

    name: str
    kind: Kind
    values: tuple[str, ...] = ()
    fill: float | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """The inputs that come of it, by name."""
        return tuple(f"{self.name}={value}" for value in self.values) if self.kind == "category" else (self.name,)

    def encode(self, cells: Sequence[str], where: str) -> Float[Tensor, "N F"]:
        """The cells as float64. Raises `DataError` with the row, counted from 1, for a cell that is of another kind, unknown or missing."""
        found = torch.zeros(len(cells), len(self.features), dtype=torch.float64)
        places = {value: index for index, value in enumerate(self.values)}
        for row, cell in enumerate(cells):
            text = cell.strip()
            if missing(text):
                if self.fill is None:
                    raise DataError(f"{where}: row {row + 1} has no {self.name}; fill it in, leave the row out, or train with "
                                    'missing="fill"')
                if self.kind != "category":
                    found[row, 0] = self.fill
            elif self.kind == "category":
                if text not in places:
                    raise DataError(f"{where}: row {row + 1} has {self.name} '{textwrap.shorten(text, 40)}', which is none of those "
                                    f"trained on; {nearest(text, self.values)}")
                found[row, places[text]] = 1
            else:
                value = number(text, self.kind)
                if value is None:
                    raise DataError(f"{where}: row {row + 1} has {self.name} '{textwrap.shorten(text, 40)}', where "
                                    f"{WORDS[self.kind]} belongs")
                found[row, 0] = value
        return found


WORDS = {"number": "a number", "flag": "yes or no", "date": "a date (2024-12-31)"}


@dataclass(frozen=True)
class Encoding:
    """All columns that are inputs, in the order of the network's inputs."""

    columns: tuple[Column, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the inputs."""
        return tuple(feature for column in self.columns for feature in column.features)

    def encode(self, header: Sequence[str], rows: Sequence[Sequence[str]], where: str) -> Float[Tensor, "N F"]:
        """The rows under `header` as inputs; other columns are passed over. Raises `DataError`."""
        for column in self.columns:
            if column.name not in header:
                raise DataError(f"{where}: the column '{column.name}' is missing; the network was trained on "
                                f"{', '.join(c.name for c in self.columns)}")
        places = {name: place for place, name in enumerate(header)}
        return torch.cat([column.encode([row[places[column.name]] for row in rows], where) for column in self.columns], 1)

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
            columns.append(Column(str(column["name"]), column["kind"], tuple(map(str, column["values"])), fill))
        return Encoding(tuple(columns))


def missing(cell: str) -> bool:
    """Whether a cell says that there is nothing."""
    return cell.strip().lower() in MISSING


def number(cell: str, kind: Kind = "number") -> float | None:
    """A cell as the number that a column of this kind makes of it; None where it is of another kind."""
    if kind == "flag":
        return FLAGS.get(cell.strip().lower())
    try:
        if kind == "date":
            moment = datetime.datetime.fromisoformat(cell.strip())
            return (moment.replace(tzinfo=moment.tzinfo or datetime.UTC) - EPOCH).total_seconds() / 86400
        value = float(cell)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) and abs(value) <= MAX_NUMBER else None


def infer(name: str, cells: Sequence[str], where: str) -> Column:
    """The column that these cells are of: of numbers, yes and no, dates, or texts. Raises `DataError` where nothing can be learned."""
    held = [cell.strip() for cell in cells if not missing(cell)]
    if not held:
        raise DataError(f'{where}: the column {name} is empty; leave it out with drop=("{name}",)')
    for kind in KINDS:
        if all(number(cell, kind) is not None for cell in held):
            return Column(name, kind)
    values = tuple(sorted(set(held)))
    numbers = sum(number(cell) is not None for cell in held)
    if numbers > 0.9 * len(held):
        row = next(row for row, cell in enumerate(cells, 1) if not missing(cell) and number(cell) is None)
        raise DataError(f"{where}: row {row} has {name} '{textwrap.shorten(cells[row - 1].strip(), 40)}' in a column of numbers; mend it, "
                        f'or leave the column out with drop=("{name}",)')
    if len(values) > MAX_VALUES:
        raise DataError(f"{where}: the column {name} has {len(values):,} different texts, from '{textwrap.shorten(values[0], 30)}' on, and "
                        f'an input for each is too many (at most {MAX_VALUES}); leave it out with drop=("{name}",)')
    return Column(name, "category", values)
