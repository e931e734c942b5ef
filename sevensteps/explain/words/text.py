"""The glossary as a list, or some of its words with their examples, on one screen."""

from __future__ import annotations

from sevensteps.explain.base import render_text
from sevensteps.explain.words.answer import Words
from sevensteps.explain.words.further_words import FURTHER
from sevensteps.explain.words.glossary import GLOSSARY, LISTED, SUBJECTS
from sevensteps.render.text import wrap


@render_text.register(Words)
def render_words(words: Words, width: int) -> str:
    """The list of all words, or each word asked for with its example."""
    if words.whole:
        label = max(len(word.name) for word in LISTED)
        lines = [f"{word.name:<{label}}  {word.short}" for word in LISTED]
        further = ", ".join(word.name for word in FURTHER)
        more = len(GLOSSARY) - len(LISTED) - len(FURTHER)
        return "\n".join(
            [
                *lines,
                "",
                *wrap(f"also: {further}", width),
                "",
                *wrap("One word, with its example: sevensteps explain words learning rate", width),
                *wrap(f"All, with {more} more: sevensteps explain words --all", width),
            ]
        )
    lines = []
    for entry in words.entries:
        lines += [
            *([""] if lines else []),
            *wrap(f"{entry.word}: {entry.definition}", width),
        ]
        if entry.example is not None:
            lines += wrap(f"Here: {entry.example}", width, "  ", "  ")
        elif entry.lacking:
            lines += wrap(f"This run has no example: {entry.lacking}.", width, "  ", "  ")
    for sentence in words.unknown:
        lines += ["", *wrap(sentence, width)]
    return "\n".join(lines)


def render_all_words(width: int) -> str:
    """Every word of the glossary, several in a line, by what they are about."""
    lines = []
    for subject, words in SUBJECTS.items():
        lines += [subject, *wrap(", ".join(word.name for word in words), width, "  ", "  "), ""]
    return "\n".join(
        [*lines, *wrap("One word, with its example: sevensteps explain words learning rate", width)]
    )
