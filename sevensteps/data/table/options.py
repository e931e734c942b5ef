"""What can be said about how a table is read, the same for every source of tables."""

from __future__ import annotations

from typing import Any, Protocol

from sevensteps.arguments import number, one_of, whole
from sevensteps.data.scaling import SCALINGS
from sevensteps.data.table.column_inference import ReadingOptions

DATES = ("auto", "day_first", "month_first")
MISSING = ("fill", "refuse", "drop")


class TableOptions(Protocol):
    """The arguments of a source that reads a table; `text` is the notation that loads it again."""

    @property
    def text(self) -> str: ...
    @property
    def target(self) -> str | None: ...
    @property
    def drop(self) -> tuple[str, ...]: ...
    @property
    def keep(self) -> tuple[str, ...]: ...
    @property
    def missing(self) -> str: ...
    @property
    def dates(self) -> str: ...
    @property
    def values(self) -> int: ...
    @property
    def valid(self) -> float: ...
    @property
    def scale(self) -> str: ...
    @property
    def target_scale(self) -> str: ...
    @property
    def seed(self) -> int: ...


def check_options(options: Any) -> None:
    """Raise `ArgumentError` for options that make no sense; a single name to drop or to keep
    becomes a tuple of one.
    """
    for name in ("drop", "keep"):
        names = getattr(options, name)
        vars(options)[name] = (names,) if isinstance(names, str) else tuple(map(str, names))
    one_of("missing", options.missing, MISSING)
    one_of("dates", options.dates, DATES)
    whole("values", options.values, at_least=1)
    number("valid", options.valid, above=0, below=1)
    one_of("scale", options.scale, ("default", *SCALINGS))
    one_of("target_scale", options.target_scale, ("default", "none", "standardize"))
    whole("seed", options.seed)


def reading_options(options: TableOptions) -> ReadingOptions:
    """How the cells are read."""
    return ReadingOptions(options.dates, options.values, options.missing == "fill")
