"""The questions about a run with their answers and commands, on one screen."""

from __future__ import annotations

from sevensteps.explain.base import render_text
from sevensteps.explain.why.answer import Why
from sevensteps.render.text import command_lines, wrap


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
