"""`sevensteps runs`: the list, also when a run in it is damaged."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sevensteps as ss
from sevensteps.doctor.case_folder import write_findings
from sevensteps.record.run_folder import find_run_folder

Command = Callable[..., Any]


def train_run(name: str, order: int, **options: Any) -> None:
    folder = Path("runs") / name
    ss.train("xor", **{"predict": "linear()", "stop": "epochs(1)", **options}, out=folder)
    os.utime(folder / "run.json", (order, order))


def test_no_run_yet(sevensteps: Command) -> None:
    result = sevensteps("runs")
    assert (result.code, result.out, result.err) == (
        0,
        "there is no run in runs yet; make one with: sevensteps train digits\n",
        "",
    )
    assert sevensteps("runs", "--json").out == "[]\n"
    assert (
        sevensteps("runs", "--in", "nowhere").out
        == "there is no run in nowhere yet; make one with: sevensteps train digits\n"
    )


def test_runs_oldest_first(sevensteps: Command) -> None:
    train_run("second", 20, predict="mlp(3)", stop="epochs(2)")
    train_run("first", 10)
    result = sevensteps("runs")
    assert (result.code, result.err) == (0, "")
    rows = [line.split() for line in result.lines]
    assert rows[0] == ["run", "data", "predict", "validation", "epochs"]
    valid = [ss.load(name).metrics["valid"]["accuracy"] for name in ("first", "second")]
    assert rows[1:] == [
        ["first", "xor", "linear()", "accuracy", f"{valid[0]:.4f}", "1,", "epochs"],
        ["second", "xor", "mlp(3)", "accuracy", f"{valid[1]:.4f}", "2,", "epochs"],
    ]
    assert max(map(len, result.lines)) <= 80
    listed = json.loads(sevensteps("runs", "--json").out)
    assert [
        (row["run"], row["data"], row["predict"], row["epochs"], row["stop"]) for row in listed
    ] == [("first", "xor", "linear()", 1, "epochs"), ("second", "xor", "mlp(3)", 2, "epochs")]
    assert [row["valid"]["accuracy"] for row in listed] == valid


@pytest.mark.parametrize("width", [40, 60, 80, 100])
@pytest.mark.sampled(1)
def test_a_name_is_never_cut(
    width: int, monkeypatch: pytest.MonkeyPatch, sevensteps: Command
) -> None:
    name = "20260101-120000-a-name-to-be-copied"
    train_run(name, 10, predict="mlp(30, 20, 10, activation='leaky_relu')")
    monkeypatch.setenv("COLUMNS", str(width))
    line = sevensteps("runs").lines[1]
    assert line.split()[0] == name
    assert line.endswith("1, epochs")
    assert len(line) <= max(80, width)


@pytest.mark.long
def test_a_huge_number_takes_no_more_room_than_others(sevensteps: Command) -> None:
    train_run("diverged", 10)
    file = Path("runs/diverged/run.json")
    summary = json.loads(file.read_text())
    summary["metrics"]["valid"] = {"loss": 1e37, "r2": -1.62e37}
    file.write_text(json.dumps(summary))
    assert "r2 -1.62e+37" in sevensteps("runs").lines[1]


def test_runs_somewhere_else(sevensteps: Command) -> None:
    train_run("../elsewhere/mine", 10)
    assert [
        row["run"] for row in json.loads(sevensteps("runs", "--in", "elsewhere", "--json").out)
    ] == ["mine"]


def test_a_damaged_run_is_left_out_with_a_warning(sevensteps: Command) -> None:
    train_run("good", 10)
    train_run("bad", 20)
    train_run("odd", 30)
    Path("runs/bad/run.json").write_text("{")
    Path("runs/odd/run.json").write_text('{"recipe": 3}')
    result = sevensteps("runs")
    assert result.code == 0
    assert [line.split()[0] for line in result.lines] == ["run", "good"]
    messages = sorted(result.err.splitlines())
    assert len(messages) == 2
    assert messages[0].startswith("sevensteps: runs/bad is left out: its run.json cannot be read: ")
    assert messages[1].startswith("sevensteps: runs/odd is left out: its run.json cannot be read: ")


def test_a_run_that_ended_in_infinity(sevensteps: Command) -> None:
    ss.train("speed", predict="mlp(3)", step="sgd(lr=1e30)", stop="epochs(9)", out="runs/lost")
    result = sevensteps("runs")
    assert result.code == 0
    assert result.lines[1].split()[-1] == "not_finite"


def test_a_training_that_was_not_finished_is_listed_last(sevensteps: Command) -> None:
    train_run("done", 10)
    train_run("killed", 5, predict="mlp(3)")
    Path("runs/killed/run.json").unlink()
    result = sevensteps("runs")
    assert [line.split() for line in result.lines[1:]][1] == [
        "killed",
        "xor",
        "mlp(3)",
        "unfinished",
    ]
    listed = json.loads(sevensteps("runs", "--json").out)[1]
    assert listed == {
        "run": "killed",
        "data": "xor",
        "predict": "mlp(3)",
        "epochs": None,
        "valid": None,
        "stop": None,
    }
    Path("runs/killed/recipe.toml").write_text("no recipe")
    assert sevensteps("runs").lines[2].split() == ["killed", "unfinished"]


@pytest.mark.parametrize("valid", ['{"accuracy": "high"}', "[]", '{"accuracy": 1e999}', '"none"'])
@pytest.mark.sampled(1)
def test_figures_that_are_none_are_left_out_too(sevensteps: Command, valid: str) -> None:
    train_run("odd", 10)
    summary = json.loads(Path("runs/odd/run.json").read_text())
    Path("runs/odd/run.json").write_text(
        json.dumps({**summary, "metrics": {"valid": json.loads(valid)}}).replace(
            "Infinity", "1e999"
        )
    )
    result = sevensteps("runs")
    assert result.code == 0


def test_what_would_steer_the_terminal_is_written_out(sevensteps: Command) -> None:
    train_run("odd", 10)
    summary = json.loads(Path("runs/odd/run.json").read_text())
    summary["recipe"]["predict"] = "mlp(3)\x1b[2J"
    Path("runs/odd/run.json").write_text(json.dumps(summary))
    assert "\x1b" not in sevensteps("runs").out
    assert "mlp(3)\\x1b[2J" in sevensteps("runs").out


def test_a_race_stands_for_its_best_recipe(sevensteps: Command) -> None:
    train_run("alone", 10)
    race = ss.race(
        ss.grid("xor", step=["sgd(lr=0.01)", "sgd(lr=1.0)"], predict="mlp(3)", stop="epochs(3)"),
        out="runs/raced",
        watch=0,
    )
    rows = [line.split() for line in sevensteps("runs").lines]
    assert rows[2] == [
        "raced",
        "xor",
        "mlp(3)",
        race.metric,
        f"{race.table[0].metric:.4f}",
        "race",
        "of",
        "2",
    ]
    assert [
        row["run"] for row in json.loads(sevensteps("runs", "--in", "runs/raced", "--json").out)
    ] == ["1", "2"]
    Path("runs/raced/race.json").write_text('{"table": []}')
    result = sevensteps("runs")
    assert [line.split()[0] for line in result.lines] == ["run", "alone"]
    assert "is left out: its race.json cannot be read" in result.err


def test_findings_that_are_written_later_leave_the_order(sevensteps: Command) -> None:
    train_run("first", 10)
    train_run("second", 20)
    write_findings(Path("runs/first"), {"findings": []})
    assert [line.split()[0] for line in sevensteps("runs").lines[1:]] == ["first", "second"]
    assert find_run_folder("last").name == "second"
