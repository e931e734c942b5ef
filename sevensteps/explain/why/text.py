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
        lines += command_lines(question.command, width) if question.command else []
    return "\n".join(lines)


def command_lines(text: str, width: int) -> list[str]:
    """A command over several lines, as a shell reads it; a word is never broken."""
    lines, line = [], "  $ " if text.startswith("sevensteps ") else "  >>> "
    for word in _options_and_words(text):
        if len(line) + len(word) + 2 > width and line.strip() not in ("$", ">>>", ""):
            lines.append(f"{line.rstrip()} \\")
            line = "      "
        line += f"{word} "
    return [*lines, line.rstrip()]


def _options_and_words(text: str) -> Iterator[str]:
    """The words of a command as they are written, an option together with its value."""
    part, mark, option = "", "", ""
    for letter in f"{text} ":
        if letter == " " and not mark:
            if part.startswith("--") and not option:
                option = part
            elif option and part.startswith("--"):
                yield option
                option = part
            else:
                yield f"{option} {part}".strip()
                option = ""
            part = ""
            continue
        if letter in "\"'" and mark in ("", letter):
            mark = "" if mark else letter
        part += letter
    if option:
        yield option
