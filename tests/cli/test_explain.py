"""`sevensteps explain`: a command for every question, and answers as text, JSON and pictures."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sevensteps.cli.explain import command, print_answer
from sevensteps.explain.questions import Explain

Command = Callable[..., Any]


class Answer:
    """An answer that notes what is asked of it."""

    def __init__(self) -> None:
        self.drawn: list[Path] = []

    def plot(self, path: Path) -> None:
        self.drawn.append(path)

    def to_dict(self) -> dict[str, float]:
        return {"loss": float("inf")}

    def text(self, width: int) -> str:
        return f"{width} columns"


def test_every_question_has_a_command_with_its_options() -> None:
    questions = {name for name, _ in inspect.getmembers(Explain, inspect.isfunction)}
    in_sample = {"samples", "confusion", "batch"}  # --worst, --best, --confusion, 0,1,2
    assert set(command.commands) == questions - {"__init__", "__repr__"} - in_sample
    for question in command.commands.values():
        options = {option for parameter in question.params for option in parameter.opts}
        assert {"--json", "--plot", "--data-dir", "--allow-code"} <= options


def test_an_answer_is_printed_as_text_or_json_and_drawn(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    answer = Answer()
    print_answer(answer, as_json=False, plot=None)
    assert capsys.readouterr().out == "70 columns\n"
    print_answer(answer, as_json=False, plot=Path("a.png"))
    assert capsys.readouterr().out == "70 columns\n\nDrawn in a.png\n"
    print_answer(answer, as_json=True, plot=Path("b.png"))
    assert json.loads(capsys.readouterr().out) == {"loss": None}
    assert answer.drawn == [Path("a.png"), Path("b.png")]


def test_a_run_that_is_not_there_is_one_line(sevensteps: Command) -> None:
    result = sevensteps("explain", "missing", "shapes")
    assert (result.code, result.out) == (2, "")
    assert len(result.err.splitlines()) == 1
    assert "missing" in result.err
