"""How explanations put numbers and lines: what they share in writing."""

from __future__ import annotations

import textwrap


def wrapped(text: str, width: int, indent: str = "", further: str | None = None) -> list[str]:
    """Lines no wider than `width`, each after `indent`, or `further` from the second on (two
    columns more, unless told).
    """
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}  " if further is None else further,
        break_long_words=True,
        break_on_hyphens=False,
    ) or [""]


def shell_quote(word: str) -> str:
    """`word` as one word of a command line, in quotes where it needs them.

    >>> print(shell_quote("runs/one"), shell_quote("mlp(30, activation='tanh')"))
    runs/one "mlp(30, activation='tanh')"
    """
    plain = all(character.isalnum() or character in "_./:\\-=" for character in word)
    quote = "'" if '"' in word else '"'
    return word if plain and word else f"{quote}{word}{quote}"


def counted(count: int, what: str) -> str:
    """`1 sample`, `2,345 samples`."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def figure(value: float, digits: int = 4) -> str:
    """A number in as many significant digits as are worth showing."""
    return f"{value:.{digits}g}"
