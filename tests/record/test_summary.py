"""`run.json` as a value with typed fields: read and written to the same content, damage refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

import sevensteps as ss
from sevensteps.errors import RunError
from sevensteps.record.summary import BestEpoch, RunSummary, StopReason, read_summary
from tests.helpers.summaries import summary

KEYS = [
    "schema",
    "run",
    "finished",
    "stop",
    "epochs",
    "steps",
    "seconds",
    "samples_per_second",
    "seed",
    "device",
    "threads",
    "processes",
    "precision",
    "metrics",
    "best",
    "findings",
    "recipe",
    "reasons",
    "parameters",
    "data",
    "versions",
    "ruled_out",
    "not_judged",
    "before",
    "watched",
    "healed",
]
OPTIONAL = {"processes", "ruled_out", "not_judged", "before", "watched", "healed"}


def content(folder: Path) -> dict[str, Any]:
    entries: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return entries


def test_a_file_is_read_and_written_to_the_same_content(finished: Path) -> None:
    entries = content(finished)
    again = read_summary(finished).to_dict()
    assert again == entries
    assert (
        list(again) == list(entries) == [key for key in KEYS if key not in {"processes", "healed"}]
    )


def test_the_fields_are_those_of_the_file(finished: Path) -> None:
    entries, read = content(finished), read_summary(finished)
    assert read.stop == StopReason("epochs", "all 3 epochs are done")
    assert read.best == BestEpoch(entries["best"]["epoch"], entries["best"]["metrics"])
    assert (read.epochs, read.steps, read.seed, read.device) == (3, 12, 3, "cpu")
    assert read.metrics["valid"] == entries["metrics"]["valid"]
    assert read.recipe["predict"] == "mlp(4)"
    assert read.processes is read.healed is None
    assert read.other == {}
    with pytest.raises(FrozenInstanceError):
        read.epochs = 4  # type: ignore[misc]


def test_keys_that_are_left_out() -> None:
    assert set(KEYS) - set(summary().to_dict()) == OPTIONAL
    full = summary(
        processes=2,
        ruled_out=[],
        not_judged=[],
        before=[],
        watched={"looks": 1},
        healed=[],
    )
    assert list(full.to_dict()) == KEYS
    assert summary(samples_per_second=None).to_dict()["samples_per_second"] is None


def test_every_summary_survives_json() -> None:
    for one in (summary(), summary(processes=2, healed=[{"condition": "dead_units"}])):
        assert RunSummary.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_a_key_that_is_not_known_is_kept(finished: Path) -> None:
    entries = content(finished) | {"mood": "good"}
    read = RunSummary.from_dict(entries)
    assert read.other == {"mood": "good"}
    assert read.to_dict() == entries


def test_what_is_not_counted_on_may_be_missing(finished: Path) -> None:
    entries = content(finished)
    for key in ("run", "finished", "samples_per_second", "reasons", "parameters", "versions"):
        lacking = {name: value for name, value in entries.items() if name != key}
        assert RunSummary.from_dict(lacking).to_dict() | {key: entries[key]} == entries


def test_changing_the_dictionary_changes_no_run(finished: Path) -> None:
    run = ss.load(finished)
    run.summary["stop"]["rule"] = run.summary["metrics"]["valid"]["loss"] = "changed"
    assert run.summary == run.outcome.to_dict() == content(finished)
    assert run.outcome.stop.rule == run.summary["stop"]["rule"] == "epochs"


def test_the_diagnosis_stands_in_the_summary() -> None:
    run = ss.train(
        "xor", predict="mlp(3)", initialize="zeros()", stop="epochs(2)", out=False, progress=False
    )
    assert run.outcome.findings == run.summary["findings"] != []
    assert run.outcome.watched == run.summary["watched"]


def changed(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(entries: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for key in parents:
            entries = entries[key]
        entries[last] = value

    return change


def without(path: str) -> Callable[[dict[str, Any]], None]:
    def change(entries: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for key in parents:
            entries = entries[key]
        del entries[last]

    return change


DAMAGE: list[tuple[Callable[[dict[str, Any]], None], str]] = [
    (changed("schema", 2), "has schema 2; this sevensteps reads up to 1"),
    (without("schema"), "has schema None; this sevensteps reads up to 1"),
    (changed("steps", -1), "is damaged: steps must be a whole number, not -1"),
    (changed("steps", True), "is damaged: steps must be a whole number, not True"),
    (changed("steps", 1 << 65), f"is damaged: steps must be a whole number, not {1 << 65}"),
    (changed("seconds", "2"), "is damaged: seconds must be a number, not '2'"),
    (changed("device", 0), "is damaged: device must be a text, not 0"),
    (changed("findings", {}), "is damaged: findings must be a list, not {}"),
    (changed("stop", None), "is damaged: stop must be texts by name, not None"),
    (changed("stop.reason", 3), "is damaged: stop must be texts by name, not {'rule': "),
    (changed("recipe", []), "is damaged: recipe must be texts by name, not []"),
    (without("stop.rule"), "is damaged: KeyError: 'rule'"),
    (without("recipe.stop"), "is damaged: KeyError: 'stop'"),
    (without("metrics.valid.loss"), "is damaged: KeyError: 'loss'"),
    (without("best.metrics"), "is damaged: KeyError: 'metrics'"),
    (without("data"), "is damaged: KeyError: 'data'"),
    (changed("best", 3), "is damaged: TypeError: 'int' object is not subscriptable"),
    (
        changed("metrics.train", {"loss": 0.1, "by_class": {"yes": "all"}}),
        "is damaged: metrics.train must be numbers by name, the loss among them, not {'loss': 0.1,",
    ),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGE, ids=[message[:50] for _, message in DAMAGE])
def test_damage_is_refused(
    damage: Callable[[dict[str, Any]], None], message: str, damaged: Path
) -> None:
    file, entries = damaged / "run.json", content(damaged)
    damage(entries)
    file.write_text(json.dumps(entries))
    with pytest.raises(RunError) as caught:
        read_summary(damaged)
    assert str(caught.value).startswith(f"{file} {message}")


def test_null_is_a_number_that_was_not_finite(finished: Path) -> None:
    entries = content(finished) | {"seconds": None}
    entries["metrics"]["valid"]["loss"] = None
    read = RunSummary.from_dict(entries)
    assert read.seconds is read.metrics["valid"]["loss"] is None
