"""The words of the field, each with this run's own example."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch

from sevensteps.errors import ArgumentError, nearest
from sevensteps.explain.base import Explanation
from sevensteps.explain.subject import Subject
from sevensteps.explain.words.glossary import GLOSSARY, Word
from sevensteps.training.threads import threads


@dataclass(frozen=True)
class Entry:
    """A word with its definition. `example` is this run's, with `numbers` by name; None where it has none, and `lacking` says why."""

    word: str
    definition: str
    example: str | None
    numbers: dict[str, Any]
    lacking: str = ""


@dataclass(frozen=True)
class Words(Explanation):
    """The words asked for, or the whole glossary, of which the text is a list and the examples stand in `entries`."""

    entries: tuple[Entry, ...]
    whole: bool

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def words(subject: Subject, *asked: str) -> Words:
    """The words `asked` for with this run's examples, or all of them. Raises `ArgumentError` for an
    unknown word, with the nearest.
    """
    from sevensteps.explain.run_numbers import Facts
    from sevensteps.explain.words.examples import example

    facts = Facts(subject)
    found = []
    with threads(subject.recipe.threads or torch.get_num_threads()):
        for word in [known(text) for text in asked] if asked else GLOSSARY:
            said = example(word.name, facts)
            found.append(Entry(word.name, word.definition, said.text, said.numbers, said.lacking))
    return Words(tuple(found), not asked)


def known(text: str) -> Word:
    """The word that is meant."""
    named = {spelled: word for word in GLOSSARY for spelled in (word.name.lower(), *word.also)}
    wanted = " ".join(str(text).lower().replace("_", " ").split())
    for spelled in (
        wanted,
        wanted.replace("-", " "),
        wanted.replace(" ", "-"),
        wanted.removesuffix("s"),
    ):
        if spelled in named:
            return named[spelled]
    raise ArgumentError(f"the glossary has no word {text!r}; {nearest(wanted, named)}")


def joined(parts: tuple[str, ...]) -> tuple[str, ...]:
    """What a command line means: `learning rate` is one word, `loss metric` two."""
    if not parts:
        return ()
    try:
        known(" ".join(parts))
    except ArgumentError:
        return parts
    return (" ".join(parts),)
