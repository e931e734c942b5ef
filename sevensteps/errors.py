"""What goes wrong, said in one line: what, where, what was seen, what to do."""

from __future__ import annotations

import difflib
import math
import unicodedata
from collections.abc import Iterable
from numbers import Integral, Real

STEERING = ("Cc", "Cs", "Zl", "Zp")  # control characters, halves of characters, ends of lines and paragraphs
TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # change the direction of what follows


class Error(Exception):
    """Any failure that the user can act on. Its text is one line; the command line prints it and exits with 2."""

    def __str__(self) -> str:
        return printable(" ".join(super().__str__().split()))


class NotationError(Error, ValueError):
    """A step's value, a data name or a recipe that cannot be read as written."""


class DataError(Error, ValueError):
    """Data that cannot be found, read or trained on."""


class RunError(Error):
    """A run folder that cannot be written or read back."""


class Told(Error):
    """A failure of a group of processes that another of them says; the command line ends without a word."""


class ArgumentError(Error, ValueError):
    """An argument outside the values that make sense for it."""


class ShapeError(Error, ValueError):
    """Tensors whose shapes do not belong together."""


def printable(text: str) -> str:
    r"""`text` with what would steer a terminal written out, since it may come from a file of somebody else.

    >>> print(printable("run\x1b[2J"))
    run\x1b[2J
    """
    if text.isprintable():
        return text
    return "".join(repr(mark)[1:-1] if unicodedata.category(mark) in STEERING or mark in TURNING else mark for mark in text)


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of a sentence about an unknown `name`: the closest known one, else all of them.

    >>> nearest("mpl", ["linear", "mlp"])
    "did you mean 'mlp'?"
    """
    known = sorted(names)
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else "known: " + ", ".join(known)


def number(
    name: str,
    value: object,
    *,
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> float:
    """`value` as a finite float within the limits, else an `ArgumentError` naming the argument and both values."""
    try:
        held = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    except OverflowError:  # a whole number of hundreds of digits
        held = math.inf
    if not math.isfinite(held):
        raise ArgumentError(f"{name} must be a finite number, not {value!r}")
    if above is not None and not held > above:
        raise ArgumentError(f"{name} must be above {above:g}, not {value!r}")
    if at_least is not None and not held >= at_least:
        raise ArgumentError(f"{name} must be at least {at_least:g}, not {value!r}")
    if at_most is not None and not held <= at_most:
        raise ArgumentError(f"{name} must be at most {at_most:g}, not {value!r}")
    if below is not None and not held < below:
        raise ArgumentError(f"{name} must be below {below:g}, not {value!r}")
    return held


def whole(name: str, value: object, *, at_least: int = 0) -> int:
    """`value` as an int of at least `at_least`, else an `ArgumentError`."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ArgumentError(f"{name} must be a whole number, not {value!r}")
    if value < at_least:
        raise ArgumentError(f"{name} must be at least {at_least}, not {value!r}")
    return int(value)


def one_of(name: str, value: object, options: Iterable[str]) -> str:
    """`value` if it is one of `options`, else an `ArgumentError` with the nearest option."""
    known = list(options)
    if not isinstance(value, str) or value not in known:
        hint = nearest(value, known) if isinstance(value, str) else "known: " + ", ".join(known)
        raise ArgumentError(f"{name} has no option {value!r}; {hint}")
    return value


def flag(name: str, value: object) -> bool:
    """`value` if it is True or False, else an `ArgumentError`."""
    if not isinstance(value, bool):
        raise ArgumentError(f"{name} must be True or False, not {value!r}")
    return value
