"""The cells of one column of a table, from whatever file: numbers, or texts that are each held
once.
"""

from __future__ import annotations

import datetime
import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy
import torch
from numpy.typing import NDArray

Kind = Literal["number", "flag", "date", "category"]
KINDS: tuple[Kind, ...] = ("number", "flag", "date")  # those that are one number a cell
MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-"}  # in small letters
FLAGS = {"yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0}
MAX_NUMBER = torch.finfo(torch.float32).max  # what the network computes in
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True, eq=False)
class Cells:
    """Some rows of one column.

    Of the kind "number", "flag" or "date", `values` are float64 as a network takes them, nan where
    there is nothing; of the kind "category" they are places in `texts`, -1 where there is nothing.
    `where` is the file as messages name it, `start` how many of its rows come before these, `rows`
    the places of these in the file where some between them were left out."""

    kind: Kind
    values: NDArray[Any]
    texts: tuple[str, ...] = ()
    where: str = ""
    start: int = 0
    rows: NDArray[Any] | None = None
    read: dict[Kind, NDArray[Any]] = field(
        default_factory=dict
    )  # the texts as numbers, once somebody has asked

    def __len__(self) -> int:
        return len(self.values)

    @staticmethod
    def of(texts: Iterable[str], where: str = "", start: int = 0) -> Cells:
        """Cells as texts, one for each row."""
        places: dict[str, int] = {}
        codes = numpy.array(
            [places.setdefault(text, len(places)) for text in texts], dtype=numpy.int32
        )
        return Cells.coded(codes, list(places), where, start)

    @staticmethod
    def coded(
        codes: NDArray[Any], texts: Sequence[str | None], where: str = "", start: int = 0
    ) -> Cells:
        """Cells as places in `texts`, of which several may mean the same and any may mean that
        there is nothing.
        """
        places: dict[str, int] = {}
        table = numpy.array(
            [
                -1
                if text is None or missing(text)
                else places.setdefault(text.strip(), len(places))
                for text in texts
            ]
            + [-1],
            dtype=numpy.int32,
        )  # the last is what -1 points to
        return Cells("category", table[codes], tuple(places), where, start)

    @property
    def missing(self) -> NDArray[numpy.bool_]:
        """Where there is nothing."""
        found: NDArray[numpy.bool_] = (
            self.values < 0 if self.kind == "category" else numpy.isnan(self.values)
        )
        return found

    def take(self, rows: NDArray[Any]) -> Cells:
        """Some of the rows, by their places here."""
        return replace(
            self, values=self.values[rows], rows=rows if self.rows is None else self.rows[rows]
        )

    def numbers(self, kind: Kind) -> NDArray[numpy.float64]:
        """The cells as numbers of this kind, nan where there is nothing or something else."""
        if self.kind == kind:
            return numpy.where(numpy.abs(self.values) <= MAX_NUMBER, self.values, numpy.nan)
        if self.kind != "category":
            return self.spelled().numbers(kind)
        found: NDArray[numpy.float64] = self.table(kind)[self.values]
        return found

    def table(self, kind: Kind) -> NDArray[numpy.float64]:
        """Each of the texts as a number of this kind, nan where it is something else; and one nan
        more, for the place -1.
        """
        if kind not in self.read:
            found = [number(text, kind) for text in self.texts]
            self.read[kind] = numpy.array(
                [*(math.nan if value is None else value for value in found), math.nan]
            )
        return self.read[kind]

    def spelled(self) -> Cells:
        """The same cells as texts."""
        if self.kind == "category":
            return self
        nothing = self.missing
        distinct, places = numpy.unique(self.values[~nothing], return_inverse=True)
        codes = numpy.full(len(self), -1, dtype=numpy.int32)
        codes[~nothing] = places.reshape(-1)
        texts = tuple(spell(value, self.kind) for value in distinct.tolist())
        return replace(self, kind="category", values=codes, texts=texts, read={})

    def at(self, place: int) -> str:
        """Where a cell stands, as messages say it."""
        return f"{self.where}: row {self.start + 1 + (place if self.rows is None else int(self.rows[place]))}"

    def shown(self, place: int) -> str:
        """One cell as text, in short."""
        value = self.values[place]
        return textwrap.shorten(
            self.texts[value] if self.kind == "category" else spell(float(value), self.kind), 40
        )


def joined(parts: Sequence[Cells]) -> Cells:
    """The blocks of one column, all of the same kind, as one."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if first.kind != "category":
        return replace(first, values=numpy.concatenate([part.values for part in parts]), rows=None)
    places: dict[str, int] = {}
    codes = []
    for part in parts:
        table = numpy.array(
            [*(places.setdefault(text, len(places)) for text in part.texts), -1], dtype=numpy.int32
        )
        codes.append(table[part.values])
    return Cells("category", numpy.concatenate(codes), tuple(places), first.where)


def missing(cell: str) -> bool:
    """Whether a cell says that there is nothing."""
    return cell.strip().lower() in MISSING


def number(cell: str, kind: Kind = "number") -> float | None:
    """A cell as the number that a column of this kind makes of it; None where it is of another
    kind.
    """
    if kind == "flag":
        return FLAGS.get(cell.strip().lower())
    try:
        if kind == "date":
            moment = datetime.datetime.fromisoformat(cell.strip())
            return (
                moment.replace(tzinfo=moment.tzinfo or datetime.UTC) - EPOCH
            ).total_seconds() / 86400
        value = float(cell)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) and abs(value) <= MAX_NUMBER else None


def spell(value: float, kind: Kind) -> str:
    """A number of this kind as a text that `number` reads back."""
    if kind == "flag":
        return "True" if value else "False"
    if kind == "date":
        try:
            moment = EPOCH + datetime.timedelta(days=value)
        except OverflowError:
            return f"{value} days after 1970"
        return (
            moment.date().isoformat()
            if value == math.floor(value)
            else moment.replace(tzinfo=None).isoformat()
        )
    return (
        str(int(value))
        if math.isfinite(value) and value == math.floor(value) and abs(value) < 2**53
        else repr(value)
    )
