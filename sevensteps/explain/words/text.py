"""The glossary as a list, or some of its words with their examples, on one screen."""

from __future__ import annotations

from sevensteps.explain.base import render_text
from sevensteps.explain.words.answer import Words
from sevensteps.explain.words.glossary import GLOSSARY, LISTED
from sevensteps.render.text import wrap


@render_text.register(Words)
def render_words(words: Words, width: int) -> str:
    """The list of all words, or each word asked for with its example."""
    if words.whole:
        label = max(len(word.name) for word in LISTED)
        lines = [f"{word.name:<{label}}  {word.short}" for word in LISTED]
        further = ", ".join(word.name for word in GLOSSARY[len(LISTED) :])
        return "\n".join(
            [
                *lines,
                "",
                *wrap(f"also: {further}", width),
                "",
                *wrap("One word, with its example: sevensteps explain words learning rate", width),
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
