"""The words of the field, each with this run's own example."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass
from typing import Any

import torch

from sevensteps.errors import ArgumentError
from sevensteps.explain.base import Explanation
from sevensteps.explain.run_numbers import RunNumbers
from sevensteps.explain.subject import Subject
from sevensteps.explain.words import (  # noqa: F401  (enter the examples of the words)
    answer_examples,
    further_examples,
    gradient_examples,
    layer_examples,
    network_examples,
    output_examples,
    practice_examples,
    schedule_examples,
    training_examples,
)
from sevensteps.explain.words.examples import example
from sevensteps.explain.words.glossary import GLOSSARY
from sevensteps.explain.words.word import Word
from sevensteps.training.threads import threads

# of the letters, in order: among 650 spellings there is one for every word that shares half of its
# letters; a slip of the fingers leaves more
LIKE = 0.75


@dataclass(frozen=True)
class Entry:
    """A word with its definition, and this run's example with its `numbers` by name.

    Where the run has no example, `example` is None and `lacking` says why; both are empty without
    a run.
    """

    word: str
    definition: str
    example: str | None
    numbers: dict[str, Any]
    lacking: str = ""


@dataclass(frozen=True)
class Words(Explanation):
    """The words that were named, or the whole glossary, with the run's examples in `entries`.

    The text of the whole glossary is a list of the words without the examples. `unknown` has a
    sentence for each word that it lacks, with the nearest.
    """

    entries: tuple[Entry, ...]
    whole: bool
    unknown: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def words(subject: Subject | None, *names: str) -> Words:
    """The words named, each with this run's example; all of the glossary if none is named. Without
    a run only what they mean.

    Raises `ArgumentError` where all words are unknown, with the nearest.
    """
    chosen, unknown = _known(names) if names else (list(GLOSSARY), ())
    if subject is None:
        plain = tuple(Entry(w.name, w.definition, None, {}) for w in chosen)
        return Words(plain, not names, unknown)
    run = RunNumbers(subject)
    entries = []
    with threads(subject.recipe.threads or torch.get_num_threads()):
        for word in chosen:
            shown = example(word.like or word.name, run)
            entries.append(
                Entry(word.name, word.definition, shown.text, shown.numbers, shown.lacking)
            )
    return Words(tuple(entries), not names, unknown)


def _known(names: tuple[str, ...]) -> tuple[list[Word], tuple[str, ...]]:
    """The words that are known, each once, and a sentence for each other. Raises `ArgumentError`
    where there is none that is known.
    """
    chosen, failures = dict[str, Word](), list[ArgumentError]()
    for name in names:
        try:
            word = find_word(name)
        except ArgumentError as failure:
            failures.append(failure)
        else:
            chosen[word.name] = word
    if not chosen:
        raise failures[0]
    return list(chosen.values()), tuple(map(str, failures))


def find_word(text: str) -> Word:
    """The word of the glossary that `text` means: by its name or another spelling, in any case.

    Raises `ArgumentError` if there is none, with the nearest.
    """
    by_spelling = {spelling: w for w in GLOSSARY for spelling in (w.name.lower(), *w.also)}
    wanted = " ".join(str(text).lower().replace("_", " ").split())
    for spelling in (
        wanted,
        wanted.replace("-", " "),
        wanted.replace(" ", "-"),
        wanted.removesuffix("s"),
    ):
        if spelling in by_spelling:
            return by_spelling[spelling]
    close = difflib.get_close_matches(wanted, by_spelling, n=1, cutoff=LIKE)
    hint = f"did you mean '{close[0]}'?" if close else "to list its words: sevensteps explain words"
    raise ArgumentError(f"the glossary has no word {text!r}; {hint}")


def words_of_arguments(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """The words that command line arguments name, the longest that there are: `learning rate` is
    one, `loss metric` are two, `loss batch size` as well.
    """
    words, rest = [], list(arguments)
    while rest:
        count = next((n for n in range(len(rest), 1, -1) if _is_word(" ".join(rest[:n]))), 1)
        words.append(" ".join(rest[:count]))
        del rest[:count]
    return tuple(words)


def _is_word(text: str) -> bool:
    try:
        find_word(text)
    except ArgumentError:
        return False
    return True
