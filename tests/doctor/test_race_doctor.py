"""The doctor of a race: who is examined, and that any other can be, later, with the same answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import sevensteps as ss
from sevensteps.errors import ArgumentError
from tests.racing.alone import recipe

BASE = recipe(
    "iris", predict="mlp(16)", repeat="batches(16)", stop="epochs(20)", precision="float32"
)


def recipes() -> list[ss.Recipe]:
    return ss.grid(
        BASE, step=["sgd(lr=0.05)", "sgd(lr=0.07)", "sgd(lr=0.1)", "sgd(lr=0.14)", "sgd(lr=1e-7)"]
    )


def examined(race: Any) -> list[bool]:
    return [run.diagnosis is not None for run in race.runs]


@pytest.mark.parametrize(
    ("diagnose", "who"),
    [("odd", [False] * 4 + [True]), ("all", [True] * 5), (False, [False] * 5)],
)
@pytest.mark.sampled(1)
def test_who_is_examined(diagnose: Any, who: list[bool]) -> None:
    race = ss.race(recipes(), out=False, diagnose=diagnose)
    assert examined(race) == who
    if diagnose:
        assert race.runs[4].findings
    content = race.to_dict()["runs"]
    assert [entry["examined"] for entry in content] == [bool(why) for why in race.examined]
    assert [bool(why) for why in race.examined] == who


@pytest.mark.long
def test_members_examined_together_get_the_findings_of_each_alone() -> None:
    race = ss.race(recipes(), out=False, diagnose="all")
    for run in race.runs:
        alone = ss.train(run.recipe, out=False)
        assert [f.condition for f in run.findings] == [f.condition for f in alone.findings]
        before = [f["condition"] for f in run.outcome.before or []]
        assert before == [f["condition"] for f in alone.outcome.before or []]


def test_the_examination_before_the_first_step_is_made_up_for() -> None:
    broken = ss.grid(BASE, initialize=["kaiming_normal()", "zeros()"])
    race = ss.race(broken, out=False)
    alone = ss.train(broken[1], out=False)
    assert alone.outcome.before
    assert race.runs[1].outcome.before
    assert [f["condition"] for f in race.runs[1].outcome.before] == [
        f["condition"] for f in alone.outcome.before
    ]


@pytest.mark.long
def test_any_other_member_can_be_examined_later_from_its_folder_alone(tmp_path: Path) -> None:
    race = ss.race(recipes(), out=tmp_path / "race", diagnose=False)
    at_once = ss.race(recipes(), out=False, diagnose="all")
    for run, other in zip(race.runs, at_once.runs, strict=True):
        assert run.folder is not None
        moved = run.folder.rename(tmp_path / f"moved-{run.folder.name}")
        assert run.outcome.watched is not None
        assert run.outcome.watched["examined"] is False
        wanted = [finding.condition for finding in other.findings]
        assert [f.condition for f in ss.diagnose(moved).findings] == wanted
        assert [f.condition for f in ss.diagnose(run).findings] == wanted
        assert ss.load(moved).metrics == run.metrics


def test_the_samples_of_all_run_folders_are_one_file(tmp_path: Path) -> None:
    race = ss.race(recipes(), out=tmp_path / "race", diagnose=False)
    files = [run.folder / "samples.safetensors" for run in race.runs if run.folder]
    assert len({file.stat().st_ino for file in files}) == 1


def test_other_answers_are_refused() -> None:
    with pytest.raises(ArgumentError, match="diagnose has no option 'some'"):
        ss.race(recipes(), out=False, diagnose="some")  # type: ignore[arg-type]
