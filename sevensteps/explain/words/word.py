"""A word of the glossary."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Word:
    """A word: `short` for the list, `definition` one sentence, `also` other spellings.

    `like` is the word whose example it shows; "" where it has one of its own.
    """

    name: str
    short: str
    definition: str
    also: tuple[str, ...] = ()
    like: str = ""
