"""A member: which of its observers see every step, and whether its stop is asked after each."""

from __future__ import annotations

import sys

import pytest

from sevensteps.racing.grouping import resolve_all
from sevensteps.racing.member import Member
from sevensteps.racing.run_race import prepare_race
from sevensteps.training.observer import Observer
from sevensteps.training.state import Training
from tests.racing.alone import recipe


class Counting(Observer):
    def __init__(self) -> None:
        self.started_with, self.steps = 0, 0

    def started(self, training: Training) -> None:
        self.started_with += 1

    def stepped(self, training: Training) -> None:
        self.steps += 1


class Patient(Counting):
    def free_steps(self, training: Training) -> int:
        return sys.maxsize


def test_only_who_has_to_sees_every_step() -> None:
    training = prepare_race(resolve_all([recipe()])).trainings[0]
    busy, patient, idle = Counting(), Patient(), Observer()
    member = Member(0, training, [busy, patient, idle])
    member.start_observers()
    assert member.step_observers == [busy]
    assert busy.started_with == patient.started_with == 1


@pytest.mark.parametrize(
    ("stop", "asks"),
    [
        ("epochs(3)", False),
        ("epochs(9) | patience(2)", False),
        ("max_steps(7)", True),
        ("seconds(60)", True),
    ],
)
def test_a_stop_that_answers_between_epochs_is_not_asked_within_one(stop: str, asks: bool) -> None:
    training = prepare_race(resolve_all([recipe(stop=stop)])).trainings[0]
    assert Member(0, training).asks_each_step is asks
