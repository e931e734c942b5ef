"""`sevensteps race`: every combination trained, one table at 80 columns, and bad input in one
line.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sevensteps as ss
from tests.cli.conftest import CommandResult

RACE = ("race", "iris", "--predict", "mlp(4)", "--stop", "epochs(4)", "--threads", "1")


@pytest.mark.long
def test_the_table_is_read_at_eighty_columns(sevensteps: Callable[..., CommandResult]) -> None:
    result = sevensteps(
        *RACE,
        "--step",
        "sgd(lr=0.0001)",
        "--step",
        "sgd(lr=0.1)",
        "--initialize",
        "zeros()",
        "--initialize",
        "kaiming_normal()",
        "--seeds",
        "3",
        "--out",
        "race",
    )
    assert result.code == 0
    head, *rows = result.lines[:5]
    assert head.split() == ["initialize", "step", "accuracy", "behind", "p", "curve"]
    assert [row.split()[0] for row in rows] == ["1", "2", "3", "4"]
    assert rows[0].split()[1:3] == ["kaiming_normal()", "sgd(lr=0.1)"]
    assert all(len(line) <= 80 for line in result.lines if not line.startswith("  sevensteps"))
    # four of each seed
    assert "12 of 12 networks were trained together, in 3 groups." in result.lines
    assert "Saved in race" in result.lines
    hint = next(line for line in result.lines if "train --recipe" in line).split()
    assert sevensteps(*hint[1:], "--stop", "epochs(1)").code == 0
    hint = next(line for line in result.lines if "compare" in line).split()
    assert sevensteps(*hint[1:]).code == 0
    assert "in the race, best accuracy" in result.err


def test_who_was_examined_is_named_as_in_the_table(
    sevensteps: Callable[..., CommandResult],
) -> None:
    result = sevensteps(*RACE, "--step", "sgd(lr=1e30)", "--step", "sgd(lr=0.1)", "--seeds", "2")
    assert "sgd(lr=1e+30), seed 0 was examined: its loss is not finite; " in " ".join(
        result.out.split()
    )
    assert "Network " not in result.out


def test_json_is_one_line_and_what_the_folder_holds(
    sevensteps: Callable[..., CommandResult],
) -> None:
    result = sevensteps(
        *RACE, "--step", "sgd(lr=0.01)", "--step", "sgd(lr=0.1)", "--json", "--out", "race"
    )
    race = json.loads(result.out)
    assert result.err == ""
    assert race == json.loads(Path("race/race.json").read_text()) | {"finished": race["finished"]}
    assert [run["run"] for run in race["runs"]] == ["1", "2"]
    assert sevensteps("runs", "--in", "race", "--json").code == 0


def test_recipes_from_files_race_with_what_options_add(
    sevensteps: Callable[..., CommandResult],
) -> None:
    sevensteps("train", "iris", "--predict", "mlp(3)", "--stop", "epochs(1)", "--out", "one")
    sevensteps("train", "iris", "--predict", "linear()", "--stop", "epochs(1)", "--out", "two")
    result = sevensteps(
        "race",
        "--recipe",
        "one/recipe.toml",
        "--recipe",
        "two/recipe.toml",
        "--seeds",
        "2",
        "--stop",
        "epochs(2)",
        "--json",
    )
    assert {row["changes"]["predict"] for row in json.loads(result.out)["table"]} == {
        "mlp(3)",
        "linear()",
    }


def test_the_book_s_steps_stand_where_none_is_named(
    sevensteps: Callable[..., CommandResult],
) -> None:
    result = sevensteps(
        "race", "speed", "--book", "--predict", "polynomial(1)", "--predict", "polynomial(2)",
        "--out", "raced",
    )  # fmt: skip
    assert result.code == 0
    recipe = ss.Recipe.from_toml(Path("raced/1/recipe.toml"))
    assert repr(recipe.step) == "sgd(lr=1e-05)"
    assert repr(recipe.stop) == "epochs(10)"


def test_halving_and_a_shared_order(sevensteps: Callable[..., CommandResult]) -> None:
    steps = [word for lr in (0.0001, 0.01, 0.1, 1.0) for word in ("--step", f"sgd(lr={lr})")]
    result = sevensteps(*RACE, *steps, "--halve", "--order", "shared", "--seeds", "2")
    assert "2 left" in result.out
    assert "8 of 8 networks were trained together, in one group." in result.out


def test_one_seed_proves_nothing(sevensteps: Callable[..., CommandResult]) -> None:
    result = sevensteps(*RACE, "--step", "sgd(lr=0.01)", "--step", "sgd(lr=0.1)")
    assert "One seed cannot tell skill from luck; train with more: --seeds 5." in result.lines


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name the data to train on, as in: sevensteps race digits"),
        (("nosuchdata",), "nosuchdata"),
        (("iris", "--seeds", "0"), "seeds must be at least 1, not 0"),
        (("iris", "--step", "sgd(lr=-1)"), "lr must be above 0"),
        (("iris", "--halve", "--stop", "patience(3)"), "halving needs to know how many epochs"),
        (("iris", "--order", "none"), "none"),
        (("--recipe", "no.toml"), "there is no recipe no.toml"),
        (
            ("iris", "--predict", "mlp(3)", "--predict", "mlp(4)", "--repeat", "batches(5000)"),
            "recipe 1 of 2: a batch of 5000",
        ),
    ],
)
def test_bad_input_is_one_line(
    sevensteps: Callable[..., CommandResult],
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
) -> None:
    result = sevensteps("race", *arguments)
    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_help_has_examples(sevensteps: Callable[..., CommandResult]) -> None:
    result: Any = sevensteps("race", "--help")
    assert 'sevensteps race digits --step "sgd(lr=0.01)"' in result.out


def test_the_curves_are_drawn(sevensteps: Callable[..., CommandResult]) -> None:
    result = sevensteps(
        *RACE,
        "--step",
        "sgd(lr=0.01)",
        "--step",
        "sgd(lr=0.1)",
        "--seeds",
        "2",
        "--plot",
        "race.png",
    )
    assert Path("race.png").read_bytes().startswith(b"\x89PNG")
    assert result.lines[-1] == "Drawn in race.png"
    refused = sevensteps(*RACE, "--plot", "race.pdf")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
