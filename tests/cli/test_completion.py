"""What Tab offers, asked as bash asks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete

import sevensteps as ss
from sevensteps.cli import cli
from sevensteps.cli.completion import layer_names

Command = Callable[..., Any]


def offers(*words: str) -> list[str]:
    *before, incomplete = words
    complete = ShellComplete(cli, {}, "sevensteps", "_SEVENSTEPS_COMPLETE")
    return [item.value for item in complete.get_completions(list(before), incomplete)]


@pytest.fixture(autouse=True)
def newest(sevensteps: Command) -> None:
    """A run, in the folder of the test."""
    ss.train("xor", predict="mlp(3)", stop="epochs(1)", progress=False, watch=0, out="runs/mine")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("tra",), ["train"]),
        (("train", "digi"), ["digits", "digits37"]),
        (("data", "an"), ["and"]),
        (("train", "digits", "--step", "ada"), ["adam(", "adamw(", "adagrad("]),
        (("train", "digits", "--loss", "cross"), ["cross_entropy()"]),
        (("train", "digits", "--stop", "ep"), ["epochs("]),
        (("diagnose", ""), ["last", "mine"]),
        (("explain", "wh"), ["why"]),
        (("explain", "m"), ["mine"]),
        (("explain", "last", "sam"), ["sample"]),
        (("explain", "mine", "neuron", ""), ["layer1", "output"]),
        (("steps", "lo"), ["loss"]),
        (("compare", "last", "mi"), ["mine"]),
    ],
)
def test_what_is_offered(words: tuple[str, ...], expected: list[str]) -> None:
    assert offers(*words) == expected


def test_layers_are_read_without_the_weights(tmp_path: Path) -> None:
    assert layer_names(Path("runs/mine/weights.safetensors")) == ["layer1", "output"]
    assert offers("explain", "missing", "neuron", "") == []


def test_bash_gets_them_from_the_command_that_the_page_names() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from sevensteps.cli import main; main()"],
        env={
            **os.environ,
            "_SEVENSTEPS_COMPLETE": "bash_complete",
            "COMP_WORDS": "sevensteps train digi",
            "COMP_CWORD": "2",
        },
        cwd=Path(ss.__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert [line.split(",")[1] for line in done.stdout.splitlines()] == ["digits", "digits37"]


def test_every_name_of_a_run_or_of_data_is_completed() -> None:
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        for parameter in command.params:
            if isinstance(parameter, click.Argument) and parameter.name in ("run", "data", "one"):
                assert parameter._custom_shell_complete is not None, (name, parameter.name)
