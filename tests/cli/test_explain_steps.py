"""`sevensteps explain RUN steps|why|words`: one screen, the JSON, the picture, the errors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sevensteps as ss
from sevensteps.explain.words.glossary import GLOSSARY

Command = Callable[..., Any]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("runs") / "run"
    ss.train(
        "digits",
        predict="mlp(10)",
        step="sgd(lr=0.1)",
        stop="epochs(3)",
        threads=1,
        out=folder,
        progress=False,
    )
    return str(folder)


def test_a_step_is_one_screen(sevensteps: Command, run: str) -> None:
    result = sevensteps("explain", run, "steps", "--step", "3")
    assert (result.code, result.err) == (0, "")
    assert max(map(len, result.lines)) <= 80
    assert len(result.lines) <= 40
    assert result.lines[0] == "Step 3 of 69, counted from 0: epoch 1, lr 0.1"
    answer = json.loads(sevensteps("explain", run, "steps", "--step", "3", "--json").out)
    was, now = re.search(
        r" was (\S+), is "
        r"(\S+)",
        " ".join(result.out.split()),
    ).groups()  # type: ignore[union-attr]
    assert (float(was), float(now)) == (
        pytest.approx(answer["weight"]["old"], rel=1e-8),
        pytest.approx(answer["weight"]["new"], rel=1e-8),
    )
    assert answer["same"] is True


def test_the_first_step_is_the_default(sevensteps: Command, run: str) -> None:
    assert (
        sevensteps("explain", run, "steps").out
        == sevensteps("explain", run, "steps", "--step", "0").out
    )


def test_several_steps_are_a_table(sevensteps: Command, run: str) -> None:
    result = sevensteps("explain", run, "steps", "--step", "0,1,2")
    assert (result.code, result.err) == (0, "")
    assert result.lines[0].startswith("Steps 0, 1, 2 of 69, counted from 0, by sgd(lr=0.1)")
    answer = json.loads(sevensteps("explain", run, "steps", "--step", "0,1,2", "--json").out)
    one = json.loads(sevensteps("explain", run, "steps", "--step", "1", "--json").out)
    assert answer["steps"][1] == one


def test_why(sevensteps: Command, run: str) -> None:
    result = sevensteps("explain", run, "why")
    assert result.code == 0
    questions = [line for line in result.lines if line.endswith("?") and line[:1] != " "]
    assert sum(line.startswith("  $ sevensteps ") for line in result.lines) == len(questions)
    answer = json.loads(sevensteps("explain", run, "why", "--json").out)
    assert [question["question"] for question in answer["questions"]] == questions


def test_words(sevensteps: Command, run: str) -> None:
    listed = sevensteps("explain", run, "words")
    assert max(map(len, listed.lines)) <= 80
    assert len(listed.lines) <= 50
    whole = sevensteps("explain", run, "words", "--all")
    assert max(map(len, whole.lines)) <= 80
    assert len(whole.lines) <= 50
    text = " ".join(whole.out.split())
    assert all(word.name in text for word in GLOSSARY)
    one = sevensteps("explain", run, "words", "learning", "rate")
    assert one.lines[0].startswith("learning rate: The learning rate is")
    two = json.loads(sevensteps("explain", run, "words", "loss", "metric", "--json").out)
    assert [entry["word"] for entry in two["entries"]] == ["loss", "metric"]


@pytest.mark.parametrize("question", ["steps", "why"])
def test_a_picture(question: str, sevensteps: Command, run: str) -> None:
    result = sevensteps("explain", run, question, "--plot", "drawn.svg")
    assert result.code == 0
    assert "Drawn in drawn.svg" in result.out
    assert Path("drawn.svg").read_text(encoding="utf-8").rstrip().endswith("</svg>")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("steps", "--step", "69"),
            "there is no step 69; the training took 69, counted from 0 to 68",
        ),
        (("steps", "--step", "x"), "not a valid"),
        (("words", "gradeint"), "did you mean 'gradient'?"),
        (("words", "--plot", "x.png"), "there is no picture of it"),
        (("why", "--plot", "x.pdf"), ".png or .svg"),
    ],
)
def test_bad_input_is_one_line(
    arguments: tuple[str, ...], message: str, sevensteps: Command, run: str
) -> None:
    answer = sevensteps("explain", run, *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert len(answer.err.splitlines()) == 1
    assert message in answer.err
