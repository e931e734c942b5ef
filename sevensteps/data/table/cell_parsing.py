"""One cell as text, and the number that a column of numbers, flags or dates makes of it.

Yes and no become 1 and 0, a date the days since 1970. A `style` says how the cells of a column are
written where several ways are possible: `"1,234.5"` and `"1.234,5"` for numbers with marks between
the thousands, a currency or a percent sign, `"day first"`, `"month first"` and `"20121231"` for
dates.
"""

from __future__ import annotations

import math
from typing import Literal

import torch

from sevensteps.data.table.dates import days_since_1970, format_days
from sevensteps.data.table.numbers import parse_number

Kind = Literal["number", "flag", "date", "category"]
NUMERIC_KINDS: tuple[Kind, ...] = ("number", "flag", "date")  # those that are one number a cell
# in the order in which a column is tried
STYLES: tuple[tuple[Kind, str], ...] = (
    ("date", "20121231"),
    ("number", ""),
    ("flag", ""),
    ("date", ""),
    ("number", "1,234.5"),
    ("number", "1.234,5"),
    ("date", "month first"),
    ("date", "day first"),
)
MISSING = {
    *("", "na", "n/a", "n.a.", "#n/a", "nan", "null", "none", "nil", "?", "-", "--", "."),
    *("<na>", "nat", "missing", "not available", "#value!", "#div/0!"),
}  # in small letters
FLAGS = {"yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0}
MAX_NUMBER = torch.finfo(torch.float32).max  # what the network computes in


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is nothing."""
    return cell.strip().lower() in MISSING


def parse_cell(cell: str, kind: Kind = "number", style: str = "") -> float | None:
    """A cell as the number that a column of this kind and style makes of it; None where it is of
    another kind.

    >>> parse_cell("yes", "flag"), parse_cell("1970-01-02", "date"), parse_cell("yes")
    (1.0, 1.0, None)
    >>> parse_cell("1.234,5", "number", "1.234,5"), parse_cell("2.1.1970", "date")
    (1234.5, 1.0)
    """
    if kind == "flag":
        return FLAGS.get(cell.strip().lower())
    if kind == "date":
        return days_since_1970(cell.strip(), style)
    value = parse_number(cell, style)
    return (
        value if value is not None and math.isfinite(value) and abs(value) <= MAX_NUMBER else None
    )


def format_cell(value: float, kind: Kind) -> str:
    """A number of this kind as a text that `parse_cell` reads back."""
    if kind == "flag":
        return "True" if value else "False"
    if kind == "date":
        return format_days(value)
    is_whole = math.isfinite(value) and value == math.floor(value) and abs(value) < 2**53
    return str(int(value)) if is_whole else repr(value)
