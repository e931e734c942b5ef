"""What to type in place of a command line that the parser refuses: the end of its message."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

TRAINING = ("train", "race")
LINES = {  # by command, or question: a line that has all it needs
    "predict": "sevensteps predict last FILE.csv",
    "diagnose": "sevensteps diagnose last",
    "compare": "sevensteps compare RUN last",
    "export": "sevensteps export last network.onnx",
    "resume": "sevensteps resume last",
    "neuron": "sevensteps explain last neuron layer1 0",
}


class Meant(NamedTuple):
    """What is written for an option that other tools have, and the commands that take it."""

    words: str
    commands: tuple[str, ...]


OPTIONS = {
    "--gpu": Meant("--device cuda", TRAINING),
    "--cuda": Meant("--device cuda", TRAINING),
    "--dropout": Meant('--predict "mlp(30, dropout=0.5)"', TRAINING),
    "--verbose": Meant("--print, which prints the first steps", ("train",)),
    "-v": Meant("--print, which prints the first steps", ("train",)),
}
SEVERAL_WORDS = {  # that follow an option
    "--parameter": "NAME INDEX, such as --parameter layer1.weight 4,300; or NAME largest",
}


def refusal(failure: click.ClickException, words: Sequence[str]) -> str:
    """The message of `failure`, with the line or the option to type where it is known.

    `words` are those after `sevensteps`.
    """
    message = failure.format_message()
    context = failure.ctx if isinstance(failure, click.UsageError) else None
    command = context.info_name or "" if context else ""
    if isinstance(failure, click.MissingParameter) and command in LINES:
        line = LINES[command]
        if command == "predict" and len(words) == 2 and Path(words[1]).suffix:
            line = f"sevensteps predict last {words[1]}"
        return f"{message} Write, for example: {line}"
    if isinstance(failure, click.NoSuchOption):
        meant = OPTIONS.get(failure.option_name)
        if meant and command in meant.commands:
            return f"there is no option {failure.option_name}; write: {meant.words}"
    if isinstance(failure, click.BadOptionUsage) and failure.option_name in SEVERAL_WORDS:
        return f"write: {failure.option_name} {SEVERAL_WORDS[failure.option_name]}"
    extra = message.startswith("Got unexpected extra argument (")
    if extra and command in (*TRAINING, "rate", "data") and Path(words[1]).suffix:
        return f"{message}; the column to predict is named as in: --target {words[-1]}"
    return message
