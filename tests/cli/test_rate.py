"""`sevensteps rate`: one screen, the JSON, the plot, the errors."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sevensteps as ss

Command = Callable[..., Any]
SHORT = (
    "digits",
    "--predict",
    "mlp(10)",
    "--step",
    "sgd(lr=0.1)",
    "--stop",
    "epochs(3)",
    "--seed",
    "1",
    "--threads",
    "1",
)


def test_one_screen_and_a_command_that_trains_with_it(sevensteps: Command) -> None:
    result = sevensteps("rate", *SHORT)
    assert result.code == 0
    assert max(map(len, result.lines)) <= 80
    assert len(result.lines) <= 25
    words = (
        "too low",
        "good",
        "edge",
        "Take",
        "Good",
        "Trained",
        "Curvature",
        "2/λ",
        "further seeds",
        "▲",
    )
    assert [word for word in words if word not in result.out] == []
    place = result.lines.index("Train with it:")
    command = shlex.split(" ".join(line.removesuffix("\\") for line in result.lines[place + 1 :]))
    rates = ss.find_learning_rate(
        "digits", predict="mlp(10)", step="sgd(lr=0.1)", stop="epochs(3)", seed=1, threads=1
    )
    assert command == [
        "sevensteps",
        "train",
        "digits",
        "--predict",
        "mlp(10)",
        "--stop",
        "epochs(3)",
        "--seed",
        "1",
        "--threads",
        "1",
        "--step",
        repr(rates.recipe.step),
    ]
    assert re.search(rf"^Take +{rates.suggestion:g} ", result.out, re.MULTILINE)
    after = sevensteps(*command[1:], "--json", "--out", "run")
    assert after.code == 0
    assert json.loads(after.out.splitlines()[-1])["recipe"]["step"] == repr(rates.recipe.step)


def test_the_book_s_training(sevensteps: Command) -> None:
    result = sevensteps("rate", "speed", "--book")
    assert result.code == 0
    assert "the learning rate is not the cause" in " ".join(result.out.split())
    assert '--predict "polynomial()"' in result.out
    assert "for speed and mnist37" in sevensteps("rate", "xor", "--book").err


def test_json_is_the_answer_alone(sevensteps: Command) -> None:
    result = sevensteps("rate", *SHORT, "--json")
    (line,) = result.out.splitlines()
    completed = json.loads(line)
    assert len(completed["rates"]) == 32
    assert completed["good"][0] <= completed["suggestion"] <= completed["good"][1]
    assert {rate["label"] for rate in completed["rates"]} <= {"too low", "good", "edge", "diverges"}
    assert completed["verified"]["ratio"] <= 1.1
    assert completed["verified"]["steps"] == completed["full"] == 69
    assert 0 < completed["sure"] < 1
    assert "32 rates, 69 steps each" in result.err


def test_a_recipe_file_and_a_plot(sevensteps: Command, tmp_path: Path) -> None:
    recipe = ss.Recipe(
        "iris", predict=ss.linear(), step=ss.sgd(lr=0.5, momentum=0.9), stop=ss.epochs(5)
    )
    Path("iris.toml").write_text(recipe.to_toml(), encoding="utf-8")
    result = sevensteps("rate", "--recipe", "iris.toml", "--plot", "rates.svg")
    assert result.code == 0
    assert "sevensteps train --recipe iris.toml --step " in result.out
    assert "momentum=0.9" in result.out
    assert Path("rates.svg").read_text(encoding="utf-8").rstrip().endswith("</svg>")
    assert "Drawn in rates.svg" in result.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name the data"),
        (("digits", "--plot", "rates.pdf"), ".png or .svg"),
        (("nothing",), "nothing"),
        (("digits37", "--predict", "pixel_similarity()"), "no trainable parameter"),
        (("digits", "--step", "sgd(lr=0)"), "lr must be above 0"),
        (("digits", "--stop", "epochs(0)"), "no learning rate to search for"),
        (("--recipe", "none.toml"), "no recipe"),
    ],
)
def test_bad_input_is_one_line(
    arguments: tuple[str, ...], message: str, sevensteps: Command
) -> None:
    completed = sevensteps("rate", *arguments)
    assert (completed.code, completed.out) == (2, "")
    errors = [line for line in completed.err.splitlines() if line.startswith("sevensteps: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in completed.err


def test_an_interrupt_leaves_with_130(sevensteps: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from sevensteps.lr_finder import search
    from sevensteps.racing.run_race import RaceState, run_race

    def interrupted_race(race: RaceState, after_epoch: Any) -> None:
        for training in race.trainings:
            training.progress.interrupted = True
        run_race(race, after_epoch)

    monkeypatch.setattr(search, "run_race", interrupted_race)
    completed = sevensteps("rate", *SHORT)
    assert (completed.code, completed.out) == (130, "")
    assert "interrupted" in completed.err


def test_help_has_an_example(sevensteps: Command) -> None:
    result = sevensteps("rate", "--help")
    assert 'sevensteps rate digits --step "sgd(lr=0.1)"' in result.out
    assert "--plot" in result.out
