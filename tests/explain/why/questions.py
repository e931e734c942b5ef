"""The questions of a short training, and their commands as the command line reads them."""

from __future__ import annotations

import itertools
import shlex
from typing import Any

import click

import sevensteps as ss
from sevensteps.cli import cli
from sevensteps.explain.why.question import Question

SHORT: dict[str, Any] = {"stop": "epochs(3)", "threads": 1, "out": False, "progress": False}


def trained(data: Any = "digits", **steps: Any) -> ss.Run:
    return ss.train(data, **{**SHORT, **steps})


def asked(run: ss.Run) -> dict[str, Question]:
    return {question.topic: question for question in run.explain.why().questions}


def steps_of(words: list[str]) -> dict[str, str]:
    """The steps that a command line gives."""
    pairs = (
        (option.removeprefix("--"), text)
        for option, text in itertools.pairwise(words)
        if option.startswith("--")
    )
    return {step: text for step, text in pairs if step in ss.steps.STEPS}


def parsed(command: str) -> click.Context:
    """The command line read by click, down to the question of `explain`; every value of a step by
    its own reader.
    """
    words = shlex.split(command)
    assert words[0] == "sevensteps"
    for step, text in steps_of(words).items():
        ss.steps.parse(step, text)
    context = cli.make_context("sevensteps", words[1:])
    while isinstance(context.command, click.Group):
        _, found, rest = context.command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        assert found is not None
        context = found.make_context(str(found.name), rest, parent=context)
    return context
