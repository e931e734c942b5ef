"""A run folder is read back from anywhere; damage to it is one line that names the file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import sevensteps as ss
from sevensteps.errors import Error, RunError
from sevensteps.record.reader import read_run
from tests.record.conftest import FILES


def changed(**items: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda held: {**held, **items}


def without(key: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda held: {name: item for name, item in held.items() if name != key}


DAMAGE: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (changed(schema=9), "run.json has schema 9; this sevensteps reads up to 1"),
    (changed(schema="1"), "run.json has schema '1'; this sevensteps reads up to 1"),
    (without("schema"), "run.json has schema None; this sevensteps reads up to 1"),
    (without("data"), "run.json is damaged: KeyError: 'data'"),
    (
        changed(data=[]),
        "run.json is damaged: TypeError: list indices must be integers or slices, not str",
    ),
    (
        changed(data={"task": 3}),
        "run.json is damaged: TypeError: 'int' object is not subscriptable",
    ),
    (
        lambda held: [held],
        "run.json holds a list where a JSON object belongs; it is damaged or something else",
    ),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGE, ids=[message[:40] for _, message in DAMAGE])
def test_a_damaged_run_json(
    damage: Callable[[dict[str, Any]], Any], message: str, damaged: Path
) -> None:
    file = damaged / "run.json"
    file.write_text(json.dumps(damage(json.loads(file.read_text()))))
    with pytest.raises(RunError) as caught:
        read_run(damaged)
    assert str(caught.value) == f"{damaged}/{message}"


def test_a_run_json_that_lacks_its_result(damaged: Path) -> None:
    file = damaged / "run.json"
    for key in ("epochs", "metrics", "best", "findings"):
        held = json.loads(file.read_text())
        file.write_text(json.dumps(without(key)(held)))
        with pytest.raises(RunError) as caught:
            ss.load(damaged)
        assert str(caught.value) == f"{file} is damaged: KeyError: '{key}'"
        file.write_text(json.dumps(held))


def test_a_missing_or_foreign_recipe(damaged: Path) -> None:
    file = damaged / "recipe.toml"
    file.write_text('data = "xor"\npredict = "mlp(5)"\nloss = "binary_cross_entropy()"\n')
    with pytest.raises(RunError, match=r"weights.safetensors does not fit mlp\(5\): size mismatch"):
        ss.load(damaged)
    file.unlink()
    with pytest.raises(Error) as caught:
        ss.load(damaged)
    assert (
        str(caught.value)
        == f"there is no recipe {file}; write one with Recipe.to_toml(), or take a run's "
        "recipe.toml"
    )


def test_a_run_reads_from_a_folder_that_may_not_be_written(damaged: Path) -> None:
    for path in damaged.iterdir():
        path.chmod(0o400)
    damaged.chmod(0o500)
    try:
        assert ss.load(damaged).predict([[0.0, 1.0]]).answers[0] in ("no", "yes")
        assert {path.name for path in damaged.iterdir()} == FILES
    finally:
        damaged.chmod(0o700)


def test_contents_are_those_of_the_training(finished: Path) -> None:
    stored = read_run(finished)
    run = ss.load(finished)
    assert stored.recipe == run.recipe
    assert (stored.task.kind, stored.task.classes) == ("binary", ("no", "yes"))
    assert (stored.inputs.shape, stored.inputs.kind) == ((2,), "table")
    assert (stored.output.size, stored.summary.steps) == (1, run.summary["steps"])
    network = stored.network("weights.safetensors")
    assert not network.training
    for name, tensor in run.network.state_dict().items():
        assert torch.equal(tensor, network.state_dict()[name])


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"kind": "ranking"}, "the task is 'ranking'; known: regression, binary"),
        ({"classes": ["a", "b", "c"]}, "a binary task cannot have 1 columns of targets and 3"),
        ({"targets": 2}, "a binary task cannot have 2 columns of targets and 2 classes"),
    ],
)
def test_a_task_that_cannot_be_is_damage(task: dict[str, Any], message: str, damaged: Path) -> None:
    file = damaged / "run.json"
    content = json.loads(file.read_text())
    content["data"]["task"] |= task
    file.write_text(json.dumps(content))
    with pytest.raises(RunError, match=re.escape(f"{file} is damaged: {message}")):
        read_run(damaged)
