"""What to type in place of a command line that is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sevensteps.cli import COMMANDS, OTHER_NAMES
from sevensteps.cli.hints import LINES, OPTIONS, SEVERAL_WORDS

Command = Callable[..., Any]


@pytest.mark.parametrize("command", [name for name in LINES if name != "neuron"])
def test_a_missing_argument_is_answered_with_a_line(command: str, sevensteps: Command) -> None:
    result = sevensteps(command)
    assert (result.code, result.out) == (2, "")
    assert f" Write, for example: {LINES[command]} (see: " in result.err


def test_also_that_of_a_question(sevensteps: Command) -> None:
    assert LINES["neuron"] in sevensteps("explain", "last", "neuron").err


def test_a_file_alone_is_predicted_by_the_last_run(sevensteps: Command) -> None:
    assert "example: sevensteps predict last new.csv (" in sevensteps("predict", "new.csv").err


@pytest.mark.parametrize("option", OPTIONS)
def test_options_of_other_tools(option: str, sevensteps: Command) -> None:
    for command in OPTIONS[option].commands:
        err = sevensteps(command, "digits", option).err
        assert f"there is no option {option}; write: {OPTIONS[option].words} (" in err
    assert OPTIONS[option].words not in sevensteps("runs", option).err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("--optimizr", "--optimizer"), ("--sed", "--seed"), ("--predicts", "--predict")],
)
def test_one_option_that_is_spelled_like_it_is_named(
    typed: str, meant: str, sevensteps: Command
) -> None:
    err = sevensteps("train", "digits", typed, "3").err
    assert f"there is no option {typed}; did you mean {meant}? (" in err


def test_no_option_is_named_where_none_is_like_it(sevensteps: Command) -> None:
    err = sevensteps("train", "digits", "--zzzzz").err
    assert "there is no option --zzzzz (see: sevensteps train --help)" in err


def test_an_option_without_its_value_is_answered_with_one(sevensteps: Command) -> None:
    assert "--lr needs a value: --lr 0.1" in sevensteps("train", "digits", "--lr").err
    assert "--hidden needs a value: --hidden 30" in sevensteps("train", "digits", "--hidden").err


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_commands_of_other_tools(name: str, sevensteps: Command) -> None:
    err = sevensteps(name).err
    assert f"there is no command '{name}'; write: sevensteps {OTHER_NAMES[name]}" in err
    assert OTHER_NAMES[name].split()[0] in COMMANDS


def test_a_script_alone_is_one_to_watch(sevensteps: Command) -> None:
    assert "; write: sevensteps watch train.py --lr 1" in sevensteps("train.py", "--lr", "1").err


def test_a_second_word_is_the_column(sevensteps: Command) -> None:
    assert "is named as in: --target kind (" in sevensteps("train", "a.csv", "kind").err
    assert "--target" not in sevensteps("train", "digits", "iris").err


def test_an_option_of_several_words_says_which(sevensteps: Command) -> None:
    err = sevensteps("explain", "last", "gradient", "0", "--parameter", "layer1.weight").err
    assert err == f"sevensteps: write: --parameter {SEVERAL_WORDS['--parameter']}\n"
