"""What can be said about how a table is read, the same for every source of tables."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from sevensteps.arguments import number, one_of, whole
from sevensteps.data.scaling import SCALINGS
from sevensteps.data.table.column_inference import ReadingOptions

DATES = ("auto", "day_first", "month_first")
MISSING = ("fill", "refuse", "drop")


@dataclass(frozen=True, eq=False, repr=False)
class TableOptions:
    """The arguments of whatever reads a table; a source of tables has them as its base, and may add
    its own.
    """

    _: KW_ONLY
    target: str | None = None
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    missing: str = "fill"
    dates: str = "auto"
    values: int = 200
    valid: float = 0.2
    scale: str = "default"
    target_scale: str = "default"
    seed: int = 0

    @property
    def text(self) -> str:
        """The notation that loads the table again."""
        raise NotImplementedError


def check_options(options: TableOptions) -> None:
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
