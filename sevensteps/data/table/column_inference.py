"""Infers what a column is of: numbers, yes and no, dates, or texts; and whether it is an input at
all.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

from sevensteps.data.table.calendar import cycles_of
from sevensteps.data.table.cell_parsing import STYLES, Kind
from sevensteps.data.table.cells import Cells
from sevensteps.data.table.column_encoding import Column
from sevensteps.data.table.numbers import COMMA, POINT
from sevensteps.errors import DataError, with_option

MAX_CATEGORIES = 200  # different texts of one column that become an input each
# different cells that are counted; a column of numbers may have as many as there are rows
MAX_DISTINCT = 100_000
FEW_VALUES = 12  # different texts, that are an input each however rare they are
RARE = 5  # rows: a text of fewer is one of the others, where there are many
MOSTLY = 0.9  # of the cells, that say what the column is of
TRIED = 200  # texts that show whether a style can be that of a column at all
WORDS_FOR_A_NUMBER = {
    *("id", "ids", "index", "idx", "uuid", "guid", "key", "rownames", "rownum", "rownumber"),
    *("row", "nr", "no", "number", "obs", "case", "caseid", "identifier", "serial", "unnamed"),
}
Style = tuple[Kind, str]


@dataclass(frozen=True)
class ReadingOptions:
    """How cells are read: `dates` is "auto", "day_first" or "month_first"; a text column has an
    input for each of at most `values` texts; where `lenient`, a few cells of another kind are gaps.
    """

    dates: str = "auto"
    values: int = MAX_CATEGORIES
    lenient: bool = False


class ColumnInference:
    """Infers the `Column` called `name` from its cells, block by block."""

    def __init__(self, name: str, options: ReadingOptions | None = None) -> None:
        self.name, self.where = name, ""
        self.options = options or ReadingOptions()
        self.fits: dict[Style, int] = {  # the cells of each kind and style that may be the column's
            style: 0 for style in STYLES if self._is_allowed(style)
        }
        self.counts: Counter[object] = Counter()  # of different cells: texts, or numbers
        self.is_typed = False  # the file itself says what the column is of
        self.rows = self.present_cells = 0
        self.odd_cells: dict[Style, tuple[str, str]] = {}  # the first: where it is, what it says
        self.counts_up = True  # each cell is one more than that before it
        self.last = math.nan
        self.first = math.nan

    def _is_allowed(self, style: Style) -> bool:
        other = {"day_first": "month first", "month_first": "day first"}
        return style[1] != other.get(self.options.dates)

    def add(self, cells: Cells) -> None:
        """Look at some more cells. Raises `DataError` for a number that no network can take in."""
        missing = cells.missing
        self.where = self.where or cells.where
        present = len(cells) - int(missing.sum())
        self.rows, self.present_cells = self.rows + len(cells), self.present_cells + present
        if cells.kind != "category":
            self._add_typed(cells, missing)
        elif cells.texts:
            self._add_texts(cells, missing)

    def _add_typed(self, cells: Cells, missing: NDArray[numpy.bool_]) -> None:
        self.is_typed = True
        self.fits = {style: fit for style, fit in self.fits.items() if style == (cells.kind, "")}
        numbers = cells.numbers(cells.kind)
        unusable = numpy.isnan(numbers) & ~missing
        if unusable.any() and not self.options.lenient:
            place = int(unusable.argmax())
            raise self._not_a_number(cells.location(place), cells.excerpt(place))
        for style in self.fits:
            self.fits[style] += int((~numpy.isnan(numbers)).sum())
            if unusable.any():
                place = int(unusable.argmax())
                self.odd_cells.setdefault(style, (cells.location(place), cells.excerpt(place)))
        self._follow(numbers)
        if len(self.counts) <= MAX_DISTINCT:
            distinct, counts = numpy.unique(numbers[~numpy.isnan(numbers)], return_counts=True)
            self.counts.update(dict(zip(distinct.tolist(), counts.tolist(), strict=True)))

    def _add_texts(self, cells: Cells, missing: NDArray[numpy.bool_]) -> None:
        # a dictionary may hold texts that no row has; the last place is that of missing cells
        counts = numpy.bincount(cells.values + 1, minlength=len(cells.texts) + 1)[1:]
        used = counts > 0
        tried = numpy.flatnonzero(used)[:TRIED]
        some = Cells.of([cells.texts[place] for place in tried.tolist()])
        for style in list(self.fits):
            if len(tried) == TRIED and numpy.isnan(some.numbers(*style)).mean() > 0.5:
                del self.fits[style]
                continue
            is_other = numpy.isnan(cells.parsed_texts(*style)[:-1])
            self.fits[style] += int(counts[~is_other].sum())
            if (is_other & used).any() and style not in self.odd_cells:
                place = int((~missing & is_other[cells.values]).argmax())
                self.odd_cells[style] = cells.location(place), cells.excerpt(place)
        if ("number", "") in self.fits:
            self._follow(cells.numbers("number"))
        if len(self.counts) <= MAX_DISTINCT:
            self.counts.update(
                {cells.texts[place]: int(counts[place]) for place in numpy.flatnonzero(used)}
            )

    def _follow(self, numbers: NDArray[numpy.float64]) -> None:
        """Note whether the column counts its rows."""
        if not self.counts_up or not len(numbers):
            return
        steps = numpy.diff(
            numbers, prepend=self.last if not math.isnan(self.last) else numbers[0] - 1
        )
        self.counts_up = bool((steps == 1).all())
        self.first = float(numbers[0]) if math.isnan(self.first) else self.first
        self.last = float(numbers[-1])

    # -- what it comes to --------------------------------------------------------------------------

    @property
    def gaps(self) -> int:
        """How many cells are missing."""
        return self.rows - self.present_cells

    def possible_styles(self) -> list[Style]:
        """The kinds and styles that fit all cells, in the order of preference."""
        return [style for style, fit in self.fits.items() if fit == self.present_cells]

    @property
    def has_decimal_comma(self) -> bool:
        """Whether its numbers can only be read with a decimal comma."""
        styles = self.possible_styles()
        return ("number", COMMA) in styles and ("number", POINT) not in styles

    def style(self, comma: bool = False) -> Style | None:
        """The kind and style of the column, None for texts; where `comma`, the numbers of this file
        have a decimal comma, and its dates the day first.
        """
        if not self.present_cells:
            return None
        styles = self.possible_styles()
        if styles and comma:
            if ("number", COMMA) in styles and (
                styles[0] != ("number", "") or self._has_thousands()
            ):
                return "number", COMMA
            if styles[0] == ("date", "month first") and ("date", "day first") in styles:
                return "date", "day first"
        if styles:
            return styles[0]
        nearly = [
            style
            for style, fit in self.fits.items()
            if fit > MOSTLY * self.present_cells and style[0] != "flag"
        ]
        return max(nearly, key=lambda style: self.fits[style], default=None)

    def _has_thousands(self) -> bool:
        """Whether every point stands before three digits, and some do: 1.200."""
        with_point = [text for text in self.counts if isinstance(text, str) and "." in text]
        grouped = re.compile(r"-?\d{1,3}(\.\d{3})+")
        return bool(with_point) and all(grouped.fullmatch(text.strip()) for text in with_point)

    def is_ambiguous_date(self) -> bool:
        """Whether its dates can be read with the day first and with the month first."""
        styles = self.possible_styles()
        return (
            bool(styles)
            and styles[0] == ("date", "month first")
            and ("date", "day first") in styles
        )

    def odd_count(self, style: Style) -> int:
        """How many cells are neither missing nor of this kind and style."""
        return self.present_cells - self.fits[style]

    def column(self, comma: bool = False) -> Column:
        """The column that all these cells are of. Raises `DataError` where a few cells are of
        another kind than the rest, unless that is allowed.
        """
        style = self.style(comma)
        if style is not None:
            lenient = self.odd_count(style) > 0
            if lenient and not self.options.lenient:
                raise self._not_a_number(*self.odd_cells[style])
            kind, written = style
            days = self.numbers(style) if kind == "date" else numpy.empty(0)
            return Column(self.name, kind, style=written, lenient=lenient, calendar=cycles_of(days))
        values, others = self.frequent_values()
        return Column(self.name, "category", tuple(sorted(values)), others=others)

    def numbers(self, style: Style) -> NDArray[numpy.float64]:
        """The different cells as numbers."""
        if self.is_typed:
            return numpy.array([value for value in self.counts if isinstance(value, float)])
        return Cells.of(map(str, self.counts)).numbers(*style)

    def frequent_values(self) -> tuple[list[str], bool]:
        """The texts that become an input each, and whether there are others."""
        counts = {str(text): count for text, count in self.counts.items()}
        if len(counts) <= min(FEW_VALUES, self.options.values):
            return list(counts), False
        frequent = sorted(
            (text for text, count in counts.items() if count >= RARE),
            key=lambda text: (-counts[text], text),
        )[: self.options.values]
        return frequent, len(frequent) < len(counts)

    def useless(self, comma: bool = False) -> str | None:
        """Why nothing can be learned from this column; None where something can."""
        distinct, style = len(self.counts), self.style(comma)
        if not self.present_cells:
            return "is empty"
        if distinct == 1 and not self.gaps:
            return f"is always {textwrap.shorten(str(next(iter(self.counts))), 30)}"
        if style is None and distinct > max(FEW_VALUES, self.present_cells / 2):
            return f"has {self._count()} different texts in {self.present_cells:,} rows: names"
        if style is None and not self.frequent_values()[0]:
            return f"has {self._count()} different texts, each of fewer than {RARE} rows"
        if style is None or style[0] != "number" or not is_identifier(self.name):
            return None
        if self.counts_up and self.first in (0.0, 1.0) and self.rows > 2:
            return "counts the rows"
        if distinct == self.present_cells > FEW_VALUES and self._is_whole(style):
            return "has another number in each row: an identifier"
        return None

    def _is_whole(self, style: Style) -> bool:
        numbers = self.numbers(style)
        return bool((numbers == numpy.floor(numbers)).all())

    def _count(self) -> str:
        distinct = len(self.counts)
        return f"{distinct:,}" if distinct <= MAX_DISTINCT else f"more than {MAX_DISTINCT:,}"

    def _not_a_number(self, where: str, text: str) -> DataError:
        return DataError(
            f"{where} has {self.name} '{text}' in a column of numbers; mend it, take such cells "
            f"for gaps with {with_option('missing', 'fill')}, or leave the column out with "
            f"{with_option('drop', self.name)}"
        )


def is_identifier(name: str) -> bool:
    """Whether the name of a column says that it numbers or names the rows.

    >>> [is_identifier(name) for name in ("PassengerId", "Individual ID", "humid", "column 1")]
    [True, True, False, True]
    """
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    lowered = [word.lower() for word in words]
    return re.fullmatch(r"column \d+", name) is not None or (
        bool(lowered) and bool({lowered[0], lowered[-1]} & WORDS_FOR_A_NUMBER)
    )


def infer_column(
    name: str, cells: Cells | Sequence[str], where: str = "", options: ReadingOptions | None = None
) -> Column:
    """The column that these cells are of. Raises `DataError` where nothing can be learned."""
    return infer(name, cells, where, options).column()


def infer(
    name: str, cells: Cells | Sequence[str], where: str = "", options: ReadingOptions | None = None
) -> ColumnInference:
    """What these cells tell of their column."""
    inference = ColumnInference(name, options)
    inference.where = where
    inference.add(cells if isinstance(cells, Cells) else Cells.of(cells, where))
    return inference
