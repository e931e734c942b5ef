"""Errors of one line for people: what is wrong, where, and what to do."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable

# control characters, halves of characters, ends of lines and paragraphs
STEERING = (
    "Cc",
    "Cs",
    "Zl",
    "Zp",
)
# change the direction of what follows
TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


class Error(Exception):
    """Any failure that the user can act on. Its text is one line, which the command line prints
    before it exits with 2.
    """

    def __str__(self) -> str:
        return printable(" ".join(super().__str__().split()))


class NotationError(Error, ValueError):
    """A step's value, a data name or a recipe that cannot be read as written."""


class DataError(Error, ValueError):
    """Data that cannot be found, read or trained on."""


class RunError(Error):
    """A run folder that cannot be written or read back."""


class PeerError(Error):
    """A failure that another process of the group reports: this one ends without a message."""


class ArgumentError(Error, ValueError):
    """An argument outside the values that make sense for it."""


class ShapeError(Error, ValueError):
    """Tensors whose shapes do not belong together."""


def printable(text: str) -> str:
    r"""`text` with what would steer a terminal written out, since it may come from a file of
    somebody else.

    >>> print(printable("run\x1b[2J"))
    run\x1b[2J
    """
    if text.isprintable():
        return text
    return "".join(
        repr(mark)[1:-1] if unicodedata.category(mark) in STEERING or mark in TURNING else mark
        for mark in text
    )


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of a sentence about an unknown `name`: the closest known one, else all of them.

    >>> nearest("mpl", ["linear", "mlp"])
    "did you mean 'mlp'?"
    """
    known = sorted(names)
    close = difflib.get_close_matches(
        name.lower(), known, n=1, cutoff=0.55 if len(name) > 2 else 0.5
    )
    return f"did you mean '{close[0]}'?" if close else "known: " + ", ".join(known)
