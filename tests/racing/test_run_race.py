"""Running a race: every group to its end, and callbacks after each epoch and each step."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sevensteps.errors import ArgumentError
from sevensteps.racing.grouping import resolve_all
from sevensteps.racing.run_race import RaceState, prepare_race, run_race
from tests.racing.alone import recipe


def test_a_network_of_yours_is_copied_for_each_and_trained_together() -> None:
    with torch.random.fork_rng():
        network = nn.Sequential(nn.Linear(4, 6), nn.Mish(), nn.Linear(6, 3))
    before = [p.detach().clone() for p in network.parameters()]
    recipes = [
        recipe(predict=network, precision="float32", step=f"sgd(lr={lr})") for lr in (0.1, 0.5)
    ]
    race = prepare_race(resolve_all(recipes))
    assert [len(lockstep.active) for lockstep, _ in race.locksteps] == [2]
    run_race(race)
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    one, other = race.trainings
    assert not torch.equal(one.engine.parameters, other.engine.parameters)


def test_a_race_of_no_recipes_is_refused() -> None:
    with pytest.raises(ArgumentError, match="a race of no recipes has no winner"):
        prepare_race([])


def test_members_may_be_ended_after_each_round_of_epochs() -> None:
    recipes = [recipe(step=f"sgd(lr={lr})", stop="epochs(5)") for lr in (0.1, 0.2, 0.3)]
    race = prepare_race(resolve_all(recipes))
    epochs, steps = list[int](), list[int]()

    def end_the_second(race: RaceState, epoch: int) -> None:
        epochs.append(epoch)
        if epoch == 2:
            member, (lockstep, _) = race.members[1], race.locksteps[0]
            member.ended = ("mine", "enough")
            lockstep.remove([member])

    run_race(race, end_the_second, lambda race: steps.append(race.trainings[0].progress.step))
    assert epochs == [1, 2, 3, 4, 5]
    assert [training.progress.epoch for training in race.trainings] == [5, 2, 5]
    rules = [member.ended and member.ended[0] for member in race.members]
    assert rules == ["epochs", "mine", "epochs"]
    assert steps == list(range(1, 21))
