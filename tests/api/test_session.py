"""A run folder is opened to go on in, by one process at a time, unless its training has ended."""

from __future__ import annotations

from pathlib import Path

import pytest

import sevensteps as ss
from sevensteps.api.session import (
    facts_to_compare,
    open_resumable,
    prepared_training,
    python_values,
)
from sevensteps.engine.distributed.process_group import ProcessGroup
from sevensteps.errors import RunError
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import resolve
from tests.api.interruptions import PLAIN, interrupted

ALONE = ProcessGroup.alone()


def test_an_interrupted_run_is_opened_at_its_last_state(here: Path) -> None:
    interrupted(3)
    resumable = open_resumable("run", ALONE)
    try:
        assert resumable.saved is not None
        assert resumable.saved.step == 3
        assert resumable.damage_warnings == []
        resumable.require_unfinished(Recipe.from_toml(resumable.folder / "recipe.toml"))
        with pytest.raises(RunError):  # another process would train in it
            open_resumable("run", ALONE)
    finally:
        resumable.release()
    open_resumable("run", ALONE).release()


def test_a_finished_run_needs_a_stop_that_is_further_away(here: Path) -> None:
    ss.train("xor", **PLAIN, out="run")
    resumable = open_resumable("run", ALONE)
    try:
        with pytest.raises(RunError, match=r"has finished: .*give a stop that is further away"):
            resumable.require_unfinished(Recipe("xor", **PLAIN))
        resumable.require_unfinished(Recipe("xor", **{**PLAIN, "stop": "epochs(3)"}))
    finally:
        resumable.release()


def test_processes_compare_what_decides_the_training() -> None:
    def facts(**changes: object) -> dict[str, object]:
        with prepared_training(resolve(Recipe("xor", **{**PLAIN, **changes})), ALONE) as training:
            return facts_to_compare(training)

    assert facts() == facts() == facts(threads=1)  # machines may differ in these
    different = {name for name, fact in facts().items() if facts(predict="mlp(7)")[name] != fact}
    assert different == {"recipe", "number of parameters"}
    different = {name for name, fact in facts().items() if facts(seed=1)[name] != fact}
    assert different == {"recipe"}


def test_only_python_objects_are_passed_on() -> None:
    data = ss.data.load("xor")
    assert python_values(Recipe("xor", **PLAIN)) == {}
    assert python_values(Recipe(data, **PLAIN)) == {"data": data}


@pytest.mark.parametrize(
    ("observer", "message"),
    [
        (print, "builtin_function_or_method is no Observer of a training; subclass ss.Observer"),
        (ss.Observer, "Observer is no Observer of a training; give one of it, Observer()"),
    ],
)
def test_what_is_no_observer_is_refused_before_the_first_step(
    observer: object, message: str, here: Path
) -> None:
    with pytest.raises(ss.Error) as refused:
        ss.train("xor", observers=[observer])  # type: ignore[list-item]
    assert message in str(refused.value)
    assert not Path("runs").exists()
