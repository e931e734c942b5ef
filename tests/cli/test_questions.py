"""What `sevensteps explain` offers, and how a question is read that names no run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import sevensteps as ss
from sevensteps.cli.explain import command
from sevensteps.cli.questions import COMMON, QUESTIONS

Command = Callable[..., Any]


@pytest.fixture(autouse=True)
def newest(sevensteps: Command) -> None:
    """A run, in the folder of the test."""
    ss.train("xor", predict="mlp(3)", stop="epochs(1)", progress=False, watch=0)


def test_the_table_is_that_of_the_commands() -> None:
    assert set(QUESTIONS) == set(command.commands)
    assert set(COMMON.values()) <= set(QUESTIONS)
    assert max(map(len, QUESTIONS.values())) <= 55


def test_alone_it_lists_the_questions(sevensteps: Command) -> None:
    for arguments in (["explain"], ["explain", "last"]):
        result = sevensteps(*arguments)
        assert (result.code, result.err) == (0, "")
        assert [name for name in QUESTIONS if QUESTIONS[name] in result.out] == list(QUESTIONS)


def test_without_a_run_the_newest_is_asked(sevensteps: Command) -> None:
    for question in (["why"], ["sample", "3"], ["samples", "--worst"], ["words", "loss"]):
        short, whole = (
            sevensteps("explain", *start, *question, "--json") for start in ([], ["last"])
        )
        assert (short.code, short.out) == (0, whole.out)


def test_a_question_that_there_is_not(sevensteps: Command) -> None:
    for arguments, message in (
        (["last", "smaple"], "there is no question 'smaple'; did you mean 'sample'?"),
        (["last", "3"], "write what to explain: sevensteps explain last sample 3"),
        (["nobody"], "there is no run nobody; "),
    ):
        result = sevensteps("explain", *arguments)
        assert (result.code, result.out) == (2, "")
        assert message in result.err
