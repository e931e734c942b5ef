"""One cell as text, and the number that a column of numbers, flags or dates makes of it.

Yes and no become 1 and 0, a date the days since 1970.
"""

from __future__ import annotations

import datetime
import math
from typing import Literal

import torch

Kind = Literal["number", "flag", "date", "category"]
NUMERIC_KINDS: tuple[Kind, ...] = ("number", "flag", "date")  # those that are one number a cell
MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-"}  # in small letters
FLAGS = {"yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0}
MAX_NUMBER = torch.finfo(torch.float32).max  # what the network computes in
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is nothing."""
    return cell.strip().lower() in MISSING


def parse_cell(cell: str, kind: Kind = "number") -> float | None:
    """A cell as the number that a column of this kind makes of it; None where it is of another
    kind.

    >>> parse_cell("yes", "flag"), parse_cell("1970-01-02", "date"), parse_cell("yes")
    (1.0, 1.0, None)
    """
    if kind == "flag":
        return FLAGS.get(cell.strip().lower())
    try:
        if kind == "date":
            moment = datetime.datetime.fromisoformat(cell.strip())
            since_1970 = moment.replace(tzinfo=moment.tzinfo or datetime.UTC) - EPOCH
            return since_1970.total_seconds() / 86400
        value = float(cell)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) and abs(value) <= MAX_NUMBER else None


def format_cell(value: float, kind: Kind) -> str:
    """A number of this kind as a text that `parse_cell` reads back."""
    if kind == "flag":
        return "True" if value else "False"
    if kind == "date":
        try:
            moment = EPOCH + datetime.timedelta(days=value)
        except OverflowError:
            return f"{value} days after 1970"
        if value == math.floor(value):
            return moment.date().isoformat()
        return moment.replace(tzinfo=None).isoformat()
    is_whole = math.isfinite(value) and value == math.floor(value) and abs(value) < 2**53
    return str(int(value)) if is_whole else repr(value)
