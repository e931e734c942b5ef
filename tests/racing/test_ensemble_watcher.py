"""What is seen of members that are watched together is what is seen of each alone."""

from __future__ import annotations

import pytest
import torch

from sevensteps.observe.training_watcher import TrainingWatcher
from sevensteps.racing.ensemble_watcher import EnsembleWatcher
from sevensteps.racing.grouping import LockstepPlan, resolve_all
from sevensteps.racing.run_race import RaceState, prepare_race, run_race
from tests.racing.alone import alone, raced, recipe

STEPS = ["sgd(lr=0.1)", "sgd(lr=0.5)", "adam(lr=one_cycle(0.02))"]


def watched(
    steps: list[str], own: bool = False, **values: object
) -> tuple[RaceState, EnsembleWatcher]:
    recipes = [
        recipe("iris", predict="mlp(6)", repeat="batches(32)", step=step, **values)
        for step in steps
    ]
    plan = LockstepPlan(list(range(len(steps))), own_order=own)
    race = prepare_race(resolve_all(recipes), [plan])
    watcher = race.locksteps[0][0].watcher = EnsembleWatcher(1.0)
    run_race(race)
    return race, watcher


@pytest.mark.parametrize("own", [False, True])
def test_looks_losses_and_rates_are_those_of_each_alone(own: bool) -> None:
    race, watcher = watched(STEPS, own)
    for member in race.members:
        single = TrainingWatcher(1.0)
        alone(member.training.recipe, (single,))
        wanted, actual = single.observation, watcher.observations[member.number]
        assert wanted is not None
        assert [step for step, _ in actual.losses] == [step for step, _ in wanted.losses]
        assert [x for _, x in actual.losses] == pytest.approx(
            [x for _, x in wanted.losses], rel=1e-6
        )
        assert actual.rates == wanted.rates
        assert actual.steps == wanted.steps
        assert actual.facts.groups == wanted.facts.groups
        assert [look.step for look in actual.looks] == [look.step for look in wanted.looks]
        for mine, theirs in zip(actual.looks, wanted.looks, strict=True):
            assert (mine.batch, mine.shapes) == (theirs.batch, theirs.shapes)
            assert list(mine.signals) == list(theirs.signals)
            assert list(mine.changes) == list(theirs.changes)
            for name in mine.signals:
                for part in ("mean", "std", "firing", "low", "high", "gradient", "rank"):
                    a, b = (getattr(look.signals[name], part) for look in (mine, theirs))
                    assert (a is None) == (b is None)
                    if a is not None:
                        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9)
            for name in mine.changes:
                for part in ("weight", "gradient", "update"):
                    a, b = (getattr(look.changes[name], part) for look in (mine, theirs))
                    torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9)
                assert mine.changes[name].distinct == theirs.changes[name].distinct
            for part in ("output", "output_gradient", "target"):
                a, b = (getattr(look, part) for look in (mine, theirs))
                torch.testing.assert_close(a, b[: len(a)], rtol=1e-6, atol=1e-9)


def test_watching_changes_no_bit() -> None:
    race, _ = watched(STEPS)
    other = raced([member.training.recipe for member in race.members])
    for one, two in zip(race.trainings, other.trainings, strict=True):
        assert torch.equal(one.engine.parameters, two.engine.parameters)


def test_the_last_member_of_a_group_is_watched_on_by_itself() -> None:
    race, watcher = watched(["sgd(lr=0.1)", "sgd(lr=1e30)"], stop="epochs(4)")
    assert [member.ended and member.ended[0] for member in race.members] == ["epochs", "not_finite"]
    went_on, diverged = (watcher.observations[number] for number in (0, 1))
    assert [look.step for look in went_on.looks] == list(range(16))
    assert diverged.notes["first_not_finite"] == diverged.steps
    assert all(look.step < diverged.steps for look in diverged.looks)


def test_the_samples_of_a_look_are_kept_once() -> None:
    _, watcher = watched(["sgd(lr=0.1)", "sgd(lr=0.2)"])
    one, other = watcher.observations.values()
    assert one.x is not None
    assert one.x is other.x
