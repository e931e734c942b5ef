"""Errors of one line for people: what is wrong, where, and what to do."""

from __future__ import annotations

import difflib
import json
import re
import shlex
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path

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


def _by_number(name: str) -> list[str | int]:
    """`column 2` comes before `column 10`."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of a sentence about an unknown `name`: the closest known one, else all of them.

    >>> nearest("mpl", ["linear", "mlp"])
    "did you mean 'mlp'?"
    >>> nearest("price", ["column 10", "column 2"])
    'known: column 2, column 10'
    """
    known = sorted(names, key=_by_number)
    close = difflib.get_close_matches(
        name.lower(), known, n=1, cutoff=0.55 if len(name) > 2 else 0.5
    )
    return f"did you mean '{close[0]}'?" if close else "known: " + ", ".join(known)


def no_such_file(path: Path, advice: str) -> DataError:
    """The error about a file that is not there, with the name of one beside it that is like it."""
    names: list[str] = []
    with suppress(OSError, ValueError):  # a folder that is not there, or that nobody may read
        names = [file.name for file in path.parent.iterdir() if file.suffix == path.suffix]
    close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.8)
    meant = f"did you mean '{path.with_name(close[0])}'?" if close else advice
    return DataError(f"{path}: there is no such file; {meant}")


# the words that the user typed after `sevensteps`, while the command line runs; else None
SHELL_WORDS: ContextVar[tuple[str, ...] | None] = ContextVar("shell_words", default=None)


def with_option(name: str, value: str) -> str:
    """How to give an option: at a shell the whole command with it, in Python the argument.

    >>> with_option("missing", "fill")
    'missing="fill"'
    """
    words = list(SHELL_WORDS.get() or ())
    if not words:
        return f"{name}={json.dumps(value, ensure_ascii=False)}"
    if name != "drop" and f"--{name}" in words[:-1]:
        place = words.index(f"--{name}")
        del words[place : place + 2]
    return shlex.join(("sevensteps", *words, f"--{name}", value))


def option_name(name: str) -> str:
    """The name of an option as it is written where the user is: `--size`, or `size=…`."""
    return f"{name}=…" if SHELL_WORDS.get() is None else f"--{name}"


def option(name: str, value: str) -> str:
    """An option on its own, as it is written where the user is: `--missing fill` or
    `missing="fill"`.
    """
    if SHELL_WORDS.get() is None:
        return f"{name}={json.dumps(value, ensure_ascii=False)}"
    return f"--{name} {shlex.quote(value)}"
