"""The glossary as a list, or some of its words with their examples, on one screen."""

from __future__ import annotations

from sevensteps.explain.base import render_text
from sevensteps.explain.words.answer import Words
from sevensteps.explain.words.glossary import GLOSSARY
from sevensteps.render.text import wrap


@render_text.register(Words)
def render_words(words: Words, width: int) -> str:
    """The list of all words, or each word asked for with its example."""
    if words.whole:
        label = max(len(word.name) for word in GLOSSARY)
        lines = [f"{word.name:<{label}}  {word.short}" for word in GLOSSARY]
        return "\n".join(
            [
                *lines,
                "",
                *wrap('Ask for one with its example from this run: words "learning rate"', width),
            ]
        )
    lines = []
    for entry in words.entries:
        lines += [
            *([""] if lines else []),
            *wrap(f"{entry.word}: {entry.definition}", width),
        ]
        here = (
            f"Here: {entry.example}"
            if entry.example is not None
            else f"This run has no example: {entry.lacking}."
        )
        lines += wrap(here, width, "  ", "  ")
    return "\n".join(lines)
