"""What to type in place of a command line that is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

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
    assert "No such option" in sevensteps("runs", option).err


def test_a_second_word_is_the_column(sevensteps: Command) -> None:
    assert "is named as in: --target kind (" in sevensteps("train", "a.csv", "kind").err
    assert "--target" not in sevensteps("train", "digits", "iris").err


def test_an_option_of_several_words_says_which(sevensteps: Command) -> None:
    err = sevensteps("explain", "last", "gradient", "0", "--parameter", "layer1.weight").err
    assert err == f"sevensteps: write: --parameter {SEVERAL_WORDS['--parameter']}\n"
