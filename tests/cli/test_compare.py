"""`sevensteps compare`: what differs in the recipe, what in the result."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sevensteps as ss

Command = Callable[..., Any]
QUICK: dict[str, Any] = {"predict": "mlp(4)", "stop": "epochs(2)", "threads": 1}


@pytest.fixture
def runs(sevensteps: Command) -> None:
    ss.train("xor", **QUICK, step="sgd(lr=0.1)", out="slow")
    ss.train("xor", **QUICK, step="sgd(lr=0.5)", seed=1, out="runs/fast")


@pytest.mark.usefixtures("runs")
def test_what_differs(sevensteps: Command) -> None:
    result = sevensteps("compare", "slow", "fast")
    assert (result.code, result.err) == (0, "")
    rows = [line.split() for line in result.lines]
    gap = rows.index([])
    assert rows[:gap] == [
        ["recipe", "slow", "fast"],
        ["step", "sgd(lr=0.1)", "sgd(lr=0.5)"],
        ["seed", "0", "1"],
    ]
    assert rows[gap + 1] == ["result", "slow", "fast", "change"]
    slow, fast = (ss.load(name).metrics["valid"]["loss"] for name in ("slow", "fast"))
    assert ["valid", "loss", f"{slow:.4f}", f"{fast:.4f}", f"{fast - slow:+.4g}"] in rows
    assert ["epochs", "2", "2", "="] in rows
    assert max(map(len, result.lines)) <= 80


@pytest.mark.usefixtures("runs")
def test_as_json(sevensteps: Command) -> None:
    comparison = json.loads(sevensteps("compare", "slow", "last", "--json").out)
    assert comparison["runs"] == ["slow", "runs/fast"]
    assert [row["step"] for row in comparison["recipe"]] == ["step", "seed"]
    assert all(
        {"sgd(lr=0.1)", "sgd(lr=0.5)"} <= set(row.values()) for row in comparison["recipe"][:1]
    )
    assert comparison["metrics"]["epochs"] == [2, 2]
    for part in ("train", "valid"):
        assert comparison["metrics"][f"{part} loss"] == [
            ss.load(name).metrics[part]["loss"] for name in ("slow", "fast")
        ]


@pytest.mark.usefixtures("runs")
def test_a_run_against_itself(sevensteps: Command) -> None:
    result = sevensteps("compare", "slow", "slow")
    assert result.code == 0
    assert result.lines[0] == "The recipes are the same."
    assert all(line.split()[-1] == "=" for line in result.lines[3:])
    assert json.loads(sevensteps("compare", "slow", "slow", "--json").out)["recipe"] == []


@pytest.mark.usefixtures("runs")
def test_runs_of_different_tasks(sevensteps: Command) -> None:
    ss.train("speed", predict="mlp(3)", step="sgd(lr=1e30)", stop="epochs(9)", out="lost")
    result = sevensteps("compare", "slow", "lost")
    assert result.code == 0
    rows = [line.split() for line in result.lines]
    assert ["data", "xor", "speed"] in rows
    assert next(row for row in rows if row[:2] == ["valid", "accuracy"])[3:] == ["–"]
    assert next(row for row in rows if row[:2] == ["train", "loss"])[3:] == ["–"], (
        "infinite, so not a number"
    )


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("absent", "there is no run slwo; known: fast"),
        ("json", "slow/run.json cannot be read: Expecting value: line 1 column 1 (char 0)"),
        ("result", "slow/run.json is damaged: KeyError: 'recipe'"),
    ],
)
@pytest.mark.sampled(1)
def test_a_run_that_cannot_be_read(damage: str, message: str, sevensteps: Command) -> None:
    if damage == "json":
        Path("slow/run.json").write_text("")
    if damage == "result":
        summary = json.loads(Path("slow/run.json").read_text())
        del summary["recipe"]
        Path("slow/run.json").write_text(json.dumps(summary))
    result = sevensteps("compare", "slwo" if damage == "absent" else "slow", "fast")
    assert (result.code, result.out) == (2, "")
    assert result.err == f"sevensteps: {message}\n"
