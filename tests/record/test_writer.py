"""The run folder as DESIGN section 4 says, and one line for each way in which it can be damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import sevensteps as ss
from sevensteps.errors import RunError
from sevensteps.record import writer as writers
from sevensteps.record.database import read as read_history
from sevensteps.training.observer import Observer
from sevensteps.training.state import Training
from tests.record.conftest import FILES


def strict(text: str) -> dict[str, Any]:
    """JSON as other languages read it: NaN and Infinity are not in it."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    held: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return held


def test_the_files_of_a_run(finished: Path) -> None:
    assert {path.name for path in finished.iterdir()} == FILES


def test_run_json_has_what_is_promised(finished: Path) -> None:
    held = strict((finished / "run.json").read_text())
    assert {
        "run",
        "stop",
        "epochs",
        "steps",
        "seconds",
        "samples_per_second",
        "seed",
        "device",
        "metrics",
        "best",
        "findings",
        "recipe",
    } <= set(held)
    assert (held["schema"], held["run"], held["seed"], held["device"]) == (1, "finished", 3, "cpu")
    assert held["stop"] == {"rule": "epochs", "reason": "all 3 epochs are done"}
    assert (held["epochs"], held["steps"]) == (3, 12)
    assert held["seconds"] > 0
    assert held["samples_per_second"] == pytest.approx(3 * 160 / held["seconds"])
    for part in ("train", "valid"):
        assert {"loss", "accuracy"} <= set(held["metrics"][part])
        assert {"loss", "accuracy"} <= set(held["best"]["metrics"][part])
    assert 1 <= held["best"]["epoch"] <= 3
    assert held["recipe"] == {
        "data": "xor",
        "initialize": "kaiming_normal()",
        "predict": "mlp(4)",
        "loss": "binary_cross_entropy()",
        "gradient": "chain_rule()",
        "step": "adam(lr=0.003)",
        "repeat": "batches(50)",
        "stop": "epochs(3) | patience(2)",
    }
    assert {"python", "sevensteps", "torch", "numpy"} <= set(held["versions"])
    # the installed version, which may leave out how it was built: 2.4.1, not 2.4.1+cu121
    assert torch.__version__.startswith(held["versions"]["torch"])
    assert held["threads"] >= 1
    assert held["parameters"] == 4 * 2 + 4 + 4 + 1
    assert set(held["reasons"]) == {*ss.steps.STEPS, "threads"}


@pytest.mark.parametrize("seconds", [0.0, 18.5])
def test_the_seconds_of_compiling_stand_beside_those_of_training(
    tmp_path: Path, seconds: float
) -> None:
    class Compiling(Observer):
        def started(self, training: Training) -> None:
            training.compile_seconds = seconds

    options = {"predict": "mlp(4)", "stop": "epochs(1)", "observers": [Compiling()]}
    ss.train("xor", **options, out=tmp_path / "run", watch=0)
    held = strict((tmp_path / "run" / "run.json").read_text())
    assert held.get("compile_seconds") == (seconds or None)


def test_the_files_agree_with_each_other(finished: Path) -> None:
    held, kept = strict((finished / "run.json").read_text()), read_history(finished)
    assert [(row["epoch"], row["step"]) for row in kept["history"]] == [(1, 4), (2, 8), (3, 12)]
    assert kept["history"][-1]["valid"] == held["metrics"]["valid"]
    assert kept["history"][held["best"]["epoch"] - 1]["valid"] == held["best"]["metrics"]["valid"]
    assert [event["kind"] for event in kept["events"]] == ["start", "stop"]
    assert kept["events"][-1]["detail"] == "epochs: all 3 epochs are done"
    recipe = ss.Recipe.from_toml(finished / "recipe.toml")
    assert {step: repr(value) for step, value in recipe.steps.items()} == {
        s: held["recipe"][s] for s in recipe.steps
    }
    assert (recipe.source, recipe.seed, recipe.threads) == ("xor", 3, held["threads"])
    shapes = {
        "layer1.weight": (4, 2),
        "layer1.bias": (4,),
        "output.weight": (1, 4),
        "output.bias": (1,),
    }
    for file in ("weights.safetensors", "best.safetensors"):
        assert {
            name: tuple(tensor.shape) for name, tensor in load_file(finished / file).items()
        } == shapes


def test_a_training_that_ended_in_infinity_is_json_all_the_same(tmp_path: Path) -> None:
    run = ss.train(
        "speed", predict="mlp(3)", step="sgd(lr=1e30)", stop="epochs(50)", out=tmp_path / "run"
    )
    held = strict((tmp_path / "run" / "run.json").read_text())
    assert held["stop"]["rule"] == "not_finite"
    assert held["metrics"]["train"]["loss"] is None
    assert repr(run).startswith("<Run of speed: r2 ")
    again = ss.load(tmp_path / "run")
    assert again.metrics["train"]["loss"] is None
    assert repr(again).startswith("<Run of speed: r2 not a number after ")


def test_the_recipe_and_the_history_are_there_before_the_end(tmp_path: Path) -> None:
    seen: list[set[str]] = []

    class Looking(Observer):
        def started(self, training: Any) -> None:
            seen.append({path.name for path in tmp_path.iterdir()})

        def evaluated(self, training: Any, row: dict[str, Any]) -> None:
            seen.append({str(len(read_history(tmp_path)["history"]))})

        def stopped(self, training: Any, rule: str, reason: str) -> None:
            seen.append({path.name for path in tmp_path.iterdir()})

    ss.train("xor", predict="linear()", stop="epochs(2)", out=tmp_path, observers=[Looking()])
    assert {"recipe.toml", "record.sqlite"} <= seen[0]
    assert not {"run.json", "weights.safetensors"} & seen[0]
    assert seen[1:3] == [{"1"}, {"2"}]
    assert seen[3] == FILES


def test_a_run_that_could_not_be_finished_is_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, held: dict[str, Any]) -> None:
        raise RunError(f"{path} cannot be written: No space left on device")

    monkeypatch.setattr(writers, "write_json", full)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError) as caught:
        ss.train("xor", predict="linear()", stop="epochs(1)", out="run")
    assert str(caught.value) == "run/run.json cannot be written: No space left on device"
    with pytest.raises(RunError) as caught:
        ss.load("run")
    assert (
        str(caught.value)
        == "run holds a training that was not finished; go on with: sevensteps resume run"
    )
