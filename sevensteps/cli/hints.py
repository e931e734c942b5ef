"""What to type in place of a command line that the parser refuses: the end of its message."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

from sevensteps.cli.guesses import OPTIONS as GUESSES

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
    "--quiet": Meant("> train.log 2>&1, which keeps the screen clear", TRAINING),
    "-q": Meant("> train.log 2>&1, which keeps the screen clear", TRAINING),
    "--plot": Meant("sevensteps report last, once it is trained", ("train",)),
    "--data": Meant("the data as a word of its own, as in: sevensteps train digits", TRAINING),
    "--dataset": Meant("the data as a word of its own, as in: sevensteps train digits", TRAINING),
    "--early-stopping": Meant("--patience 5", TRAINING),
    "--early-stop": Meant("--patience 5", TRAINING),
    "--scheduler": Meant('--step "adam(lr=one_cycle(0.01))"', TRAINING),
    "--lr-scheduler": Meant('--step "adam(lr=one_cycle(0.01))"', TRAINING),
    "-e": Meant("--epochs 20", TRAINING),
    "-b": Meant("--batch-size 64", TRAINING),
    "-o": Meant("--out FOLDER", TRAINING),
    "--output": Meant("--out FOLDER", TRAINING),
    **dict.fromkeys(
        ("--val-split", "--validation-split", "--valid-split", "--test-size"),
        Meant("nothing, as a fifth of the samples is set aside for validation", TRAINING),
    ),
}
CLOSE = 0.6  # likeness of an option that may be meant
EXAMPLES = {  # of values of the options that people try first
    "guess_lr": "0.1",
    "guess_optimizer": "adam",
    "guess_epochs": "20",
    "guess_patience": "5",
    "guess_steps": "1000",
    "guess_batch_size": "64",
    "guess_hidden": "30",
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
        return f"there is no option {failure.option_name}{_close_option(failure)}"
    if isinstance(failure, click.BadOptionUsage) and "requires an argument" in message:
        guess = next((name for name, (_, of) in GUESSES.items() if failure.option_name in of), "")
        if guess in EXAMPLES:
            return f"{failure.option_name} needs a value: {failure.option_name} {EXAMPLES[guess]}"
    if isinstance(failure, click.BadOptionUsage) and failure.option_name in SEVERAL_WORDS:
        return f"write: {failure.option_name} {SEVERAL_WORDS[failure.option_name]}"
    extra = message.startswith("Got unexpected extra argument (")
    if extra and command in (*TRAINING, "rate", "data") and Path(words[1]).suffix:
        return f"{message}; the column to predict is named as in: --target {words[-1]}"
    return message


def _close_option(failure: click.NoSuchOption) -> str:
    """The end of a sentence: the one option of the command that is spelled like it, if any is."""
    context = failure.ctx
    if context is None:
        return ""
    known = [
        option
        for parameter in context.command.get_params(context)
        if isinstance(parameter, click.Option)
        for option in parameter.opts
        if option.startswith("--")
    ]
    close = difflib.get_close_matches(failure.option_name, known, n=1, cutoff=CLOSE)
    return f"; did you mean {close[0]}?" if close else ""
