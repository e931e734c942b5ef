"""`ss.race` and `ss.grid`: what they train, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import sevensteps as ss
from sevensteps.errors import ArgumentError, DataError, Error, RunError
from tests.racing.alone import DATA, PLAIN

STEPS = ["sgd(lr=0.01)", "sgd(lr=0.5)"]


def recipes(**options: Any) -> list[ss.Recipe]:
    return ss.grid(ss.Recipe(DATA, **PLAIN), step=STEPS, **options)


def test_a_grid_has_every_combination_with_every_seed() -> None:
    combinations = ss.grid(
        "iris", seeds=2, step=STEPS, predict=["mlp(3)", "mlp(4)"], stop="epochs(2)"
    )
    assert len(combinations) == 8
    assert {(repr(one.step), repr(one.predict), one.seed) for one in combinations} == {
        (step, predict, seed)
        for step in STEPS
        for predict in ("mlp(3)", "mlp(4)")
        for seed in (0, 1)
    }
    assert {repr(one.stop) for one in combinations} == {"epochs(2)"}
    assert [one.seed for one in ss.grid(ss.Recipe("iris", seed=5), seeds=2)] == [5, 6]
    assert [one.seed for one in ss.grid("iris", seeds=[3, 9])] == [3, 9]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"step": []}, "step is an empty list"),
        ({"nonsense": 3}, "unexpected keyword"),
    ],
)
def test_a_grid_of_nothing_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        ss.grid("iris", **options)


def test_every_run_is_the_one_that_train_makes(tmp_path: Path) -> None:
    race = ss.race(recipes(seeds=2), out=tmp_path / "race")
    for run in race.runs:
        alone = ss.train(run.recipe, out=False)
        for a, b in zip(run.network.parameters(), alone.network.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)
        # looks are made as time allows
        assert [f.condition for f in run.findings] == [f.condition for f in alone.findings]
        assert run.summary["stop"] == alone.summary["stop"]
        assert run.metrics["train"]["loss"] == pytest.approx(
            alone.metrics["train"]["loss"], rel=1e-9
        )
        assert run.best.epoch == alone.best.epoch
        assert run.best.metrics["train"]["loss"] == pytest.approx(
            alone.best.metrics["train"]["loss"], rel=1e-9
        )


def test_without_a_folder_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    race = ss.race(recipes(), out=False, watch=0)
    assert race.folder is None
    assert list(tmp_path.iterdir()) == []
    assert race.runs[0].findings == []


def test_a_member_can_be_resumed_further(tmp_path: Path) -> None:
    race = ss.race(recipes(), out=tmp_path / "race")
    assert race.runs[1].folder is not None
    longer = ss.resume(race.runs[1].folder, stop="epochs(5)", data=DATA)
    straight = ss.train(race.runs[1].recipe, stop="epochs(5)", out=False)
    for a, b in zip(longer.network.parameters(), straight.network.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_a_shared_order_is_written_into_the_recipes() -> None:
    race = ss.race(recipes(seeds=3), order="shared", out=False, watch=0)
    assert {repr(run.recipe.repeat) for run in race.runs} == {"batches(16, seed=0)"}
    assert [group.numbers for group in race.groups] == [[0, 1, 2, 3, 4, 5]]
    alone = ss.train(race.runs[2].recipe, out=False, watch=0)
    torch.testing.assert_close(
        race.runs[2].network.state_dict(), alone.network.state_dict(), rtol=1e-9, atol=1e-12
    )
    whole = ss.race(recipes(seeds=2, repeat="full_batch()"), order="shared", out=False, watch=0)
    assert {repr(run.recipe.repeat) for run in whole.runs} == {"full_batch()"}


def test_halving_leaves_the_rest_as_it_is() -> None:
    racers = ss.grid(
        ss.Recipe(DATA, **PLAIN),
        step=[f"sgd(lr={lr})" for lr in (0.001, 0.01, 0.1, 1.0)],
        stop="epochs(8)",
        seeds=2,
    )
    race = ss.race(racers, halve=True, out=False, watch=0)
    assert [row.stops for row in race.table] == [
        {"epochs": 2},
        {"halving": 2},
        {"halving": 2},
        {"halving": 2},
    ]
    assert [run.summary["epochs"] for run in race.runs].count(2) == 4


def test_nothing_global_changes() -> None:
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    ss.race(recipes(threads=[1, 3]), out=False)
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("racers", "options", "kind", "message"),
    [
        ([], {}, ArgumentError, "a race of no recipes has no winner; give at least one"),
        ("digits", {}, ArgumentError, "a race takes a list of recipes, not 'digits'"),
        (["digits"], {}, ArgumentError, "entry 1 of the race is 'digits', no recipe"),
        (
            [ss.Recipe("iris"), ss.Recipe("wine")],
            {},
            DataError,
            "recipe 2 is about wine and recipe 1 about iris",
        ),
        ([ss.Recipe("iris")], {"order": "random"}, ArgumentError, "order"),
        ([ss.Recipe("iris")], {"watch": 2}, ArgumentError, "watch must be at most 1"),
        (
            [ss.Recipe("iris", stop="patience(2)"), ss.Recipe("iris", stop="patience(3)")],
            {"halve": True},
            ArgumentError,
            "halving needs",
        ),
        (
            [
                ss.Recipe("iris"),
                ss.Recipe("iris", loss="mean_squared_error()", repeat="batches(9999)"),
            ],
            {},
            Error,
            "recipe 2 of 2: ",
        ),
    ],
)
def test_bad_input_is_refused_and_leaves_no_folder(
    racers: Any, options: dict[str, Any], kind: type[Error], message: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=message):
        ss.race(racers, out=tmp_path / "race", **options)
    assert not (tmp_path / "race").exists()


def test_a_folder_that_holds_something_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="is not empty"):
        ss.race(recipes(), out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
