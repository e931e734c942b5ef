"""The questions about a run with their answers and commands, on one screen."""

from __future__ import annotations

from collections.abc import Iterator

from sevensteps.explain.base import render_text
from sevensteps.explain.why.answer import Why
from sevensteps.render.text import wrap


@render_text.register(Why)
def render_why(why: Why, width: int) -> str:
    """Each question, its answer below it, and the command that proves it."""
    lines: list[str] = []
    for question in why.questions:
        lines += [
            *([""] if lines else []),
            *wrap(question.question, width),
            *wrap(question.answer, width, "  ", "  "),
        ]
        lines += broken(question.command, width) if question.command else []
    return "\n".join(lines)


def broken(text: str, width: int) -> list[str]:
    """A command over several lines, as a shell reads it; a word is never broken."""
    lines, now = [], "  $ " if text.startswith("sevensteps ") else "  >>> "
    for word in _words(text):
        if len(now) + len(word) + 2 > width and now.strip() not in ("$", ">>>", ""):
            lines.append(f"{now.rstrip()} \\")
            now = "      "
        now += f"{word} "
    return [*lines, now.rstrip()]


def _words(text: str) -> Iterator[str]:
    """The words of a command as they are written, an option together with its value."""
    held, mark, pending = "", "", ""
    for letter in f"{text} ":
        if letter == " " and not mark:
            if held.startswith("--") and not pending:
                pending = held
            elif pending and held.startswith("--"):
                yield pending
                pending = held
            else:
                yield f"{pending} {held}".strip()
                pending = ""
            held = ""
            continue
        if letter in "\"'" and mark in ("", letter):
            mark = "" if mark else letter
        held += letter
    if pending:
        yield pending
