"""Halving ends the worse half at ever longer shares of the epochs, and what it leaves running comes
to what it comes to alone.
"""

from __future__ import annotations

import math

import pytest

from sevensteps.errors import ArgumentError
from sevensteps.racing.grouping import resolve_all
from sevensteps.racing.run_race import RaceState, prepare_race, run_race
from sevensteps.racing.successive_halving import SuccessiveHalving
from tests.racing.alone import alone, recipe
from tests.racing.test_lockstep_loop import same

RATES = [0.001, 0.01, 0.05, 0.1, 0.3, 0.6, 1.0, 1e-6]


def halved(seeds: int = 1, stop: str = "epochs(16)") -> tuple[list[list[int]], RaceState]:
    recipes = [
        recipe(step=f"sgd(lr={lr})", stop=stop, seed=seed, repeat="batches(16, seed=0)")
        for lr in RATES
        for seed in range(seeds)
    ]
    racing = prepare_race(resolve_all(recipes))
    of = [list(range(start, start + seeds)) for start in range(0, len(recipes), seeds)]
    halving = SuccessiveHalving([[racing.members[number] for number in numbers] for numbers in of])
    run_race(racing, halving)
    return of, racing


@pytest.mark.parametrize("seeds", [1, 3])
def test_halves_leave_after_two_four_and_eight_epochs(seeds: int) -> None:
    of, racing = halved(seeds)
    epochs = sorted(racing.trainings[numbers[0]].progress.epoch for numbers in of)
    assert epochs == [2, 2, 2, 2, 4, 4, 8, 16]
    for numbers in of:
        # the seeds of an entry leave together
        assert len({racing.trainings[number].progress.epoch for number in numbers}) == 1


def test_who_leaves_is_worse_than_who_stays() -> None:
    of, racing = halved()
    for epoch in (2, 4, 8):
        accuracy = [
            training.progress.history[epoch - 1]["valid"]["accuracy"]
            for training in racing.trainings
            if training.progress.epoch > epoch
        ]
        left = [
            training.progress.history[-1]["valid"]["accuracy"]
            for training in racing.trainings
            if training.progress.epoch == epoch
        ]
        assert min(accuracy) >= max(left)
    rules = [member.ended[0] for member in racing.members if member.ended]
    assert sorted(rules) == ["epochs", *["halving"] * 7]
    assert all(
        "beaten after" in member.ended[1]
        for member in racing.members
        if member.ended and member.ended[0] == "halving"
    )
    assert of


def test_the_last_one_comes_to_what_it_comes_to_alone() -> None:
    _, racing = halved()
    last = next(member for member in racing.members if member.ended and member.ended[0] == "epochs")
    wanted, ended = alone(
        recipe(
            step=f"sgd(lr={RATES[last.number]})", stop="epochs(16)", repeat="batches(16, seed=0)"
        )
    )
    assert last.ended == ended
    same(last.training, wanted, 1e-9)


def test_few_epochs_halve_several_times_at_once() -> None:
    _, racing = halved(stop="epochs(2)")
    assert sorted(training.progress.epoch for training in racing.trainings) == [1] * 7 + [2]


def test_what_diverged_counts_as_the_worst() -> None:
    recipes = [
        recipe(
            step=f"sgd(lr={lr})",
            stop="epochs(4)",
            predict="mlp(5)",
            precision="float32",
            repeat="batches(16, seed=0)",
        )
        for lr in (1e30, 0.1, 0.2, 1e30)
    ]
    racing = prepare_race(resolve_all(recipes))
    run_race(racing, SuccessiveHalving([[member] for member in racing.members]))
    assert [member.ended and member.ended[0] for member in racing.members].count("not_finite") == 2
    assert max(training.progress.epoch for training in racing.trainings[1:3]) == 4
    assert all(math.isfinite(training.progress.loss) for training in racing.trainings[1:3])


def test_without_a_number_of_epochs_there_is_nothing_to_halve() -> None:
    racing = prepare_race(resolve_all([recipe(stop="patience(3)"), recipe(stop="epochs(3)")]))
    with pytest.raises(ArgumentError, match=r"halving needs to know how many epochs"):
        SuccessiveHalving([[member] for member in racing.members])
