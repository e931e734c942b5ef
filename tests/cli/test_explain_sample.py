"""`sevensteps explain RUN sample`: one sample, the worst and best, the confusion."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sevensteps as ss

Command = Callable[..., Any]


@pytest.fixture
def digits(sevensteps: Command) -> ss.Run:
    """A run on digits in the folder `digits`."""
    return ss.train("digits", predict="mlp(10)", stop="epochs(6)", out="digits", progress=False)


def test_one_sample(sevensteps: Command, digits: ss.Run) -> None:
    result = sevensteps("explain", "digits", "sample", "3")
    assert (result.code, result.err) == (0, "")
    assert result.out.rstrip() == digits.explain.sample(3).text().rstrip()
    assert max(map(len, result.lines)) <= 80
    assert len(result.lines) <= 40
    answer = json.loads(
        sevensteps("explain", "digits", "sample", "3", "--part", "train", "--json").out
    )
    assert (answer["index"], answer["part"]) == (3, "train")
    assert answer["loss"] == digits.explain.sample(3, "train").loss


def test_the_worst_and_the_best(sevensteps: Command, digits: ss.Run) -> None:
    for option, arguments, count in (("worst", ["--worst"], 5), ("best", ["--best", "2"], 2)):
        answer = json.loads(sevensteps("explain", "digits", "sample", *arguments, "--json").out)
        assert [row["index"] for row in answer["ranked"]] == [
            row.index for row in digits.explain.samples(**{option: count}).ranked
        ]
        assert answer["confusion"]["total"] == 359
    result = sevensteps("explain", "digits", "sample", "--worst", "3")
    assert result.code == 0
    assert "Confusion of the valid part" in result.out
    _, _, words = result.out.partition("Look at one:\n  $ sevensteps ")
    worst = digits.explain.samples().ranked[0].index
    assert f"Sample {worst}" in sevensteps(*words.splitlines()[0].split()).out


@pytest.mark.usefixtures("digits")
def test_the_confusion_as_a_picture(sevensteps: Command) -> None:
    result = sevensteps("explain", "digits", "sample", "--confusion", "--plot", "confusion.svg")
    assert result.code == 0
    assert result.lines[-1] == "Drawn in confusion.svg"
    assert "truth" in Path("confusion.svg").read_text(encoding="utf-8")


@pytest.mark.usefixtures("digits")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["9999"], "there is no sample 9999 in valid; it has 359, counted from 0"),
        ([], "give one of: the number of a sample, --worst, --best, --confusion"),
        (["3", "--worst"], "give one of: the number of a sample, --worst, --best, --confusion"),
        (["--worst", "0"], "worst must be at least 1, not 0"),
        (["3", "--plot", "x.gif"], "a plot is written as .png or .svg, not as 'x.gif'"),
        (["3", "--part", "test"], "'test' is not one of 'train', 'valid'"),
    ],
)
@pytest.mark.sampled(2)
def test_bad_input(sevensteps: Command, arguments: list[str], message: str) -> None:
    result = sevensteps("explain", "digits", "sample", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert len(result.err.strip().splitlines()) == 1


def test_a_run_that_is_not_there(sevensteps: Command) -> None:
    result = sevensteps("explain", "nowhere", "sample", "0")
    assert result.code == 2
    assert len(result.err.strip().splitlines()) == 1


def test_data_that_came_from_python_are_not_there(sevensteps: Command) -> None:
    ss.train(
        ss.data.from_arrays([[1.0], [2.0], [3.0], [4.0]], [1.0, 2.5, 3.0, 4.0]),
        predict="linear()",
        stop="epochs(1)",
        out="mine",
        progress=False,
    )
    result = sevensteps("explain", "mine", "sample", "0")
    assert result.code == 2
    assert result.err.startswith(
        "sevensteps: the data of mine, arrays, came from Python and are not kept with it; ask the "
        "Run"
    )


@pytest.mark.long
def test_the_book_s_digits(sevensteps: Command, mnist_dir: Path) -> None:
    ss.train(
        "mnist37",
        predict="linear()",
        stop="epochs(1)",
        out="book",
        data_dir=mnist_dir,
        progress=False,
    )
    result = sevensteps("explain", "book", "sample", "0", "--data-dir", str(mnist_dir))
    assert (result.code, result.err) == (0, "")
    assert "0 is probability .5" in result.out
    assert max(map(len, result.lines)) <= 80
    assert len(result.lines) <= 40
