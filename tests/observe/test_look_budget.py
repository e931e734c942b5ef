"""The budget of looks holds, and is used."""

from __future__ import annotations

import pytest

from sevensteps.errors import ArgumentError
from sevensteps.observe.look_budget import FIRST_LOOKS, GRACE_SECONDS, LookBudget


def test_looking_takes_its_share_of_the_time_and_no_more() -> None:
    budget, now, looks = LookBudget(0.02), 0.0, []
    for step in range(20_000):
        if budget.is_due(step, now):
            looks.append(step)
            budget.record_look(step, 0.0005)
            budget.looking_seconds += 0.0005
        now += 0.0004
    assert looks[:FIRST_LOOKS] == list(range(FIRST_LOOKS))
    assert budget.looking_seconds <= 0.02 * now + GRACE_SECONDS
    assert budget.looking_seconds >= 0.9 * 0.02 * now, "and uses it"


def test_noting_losses_takes_half_of_the_budget_at_most() -> None:
    budget, now, looks = LookBudget(0.02), 0.0, 0
    for step in range(20_000):
        if budget.is_due(step, now):
            looks += 1
            budget.record_look(step, 0.0005)
            budget.looking_seconds += 0.0005
        budget.noting_seconds += 0.0001  # a quarter of the time
        now += 0.0004
    assert budget.looking_seconds <= 0.01 * now + GRACE_SECONDS
    assert budget.looking_seconds >= 0.9 * 0.01 * now


@pytest.mark.parametrize("share", [0.02, 0.5, 1.0])
@pytest.mark.parametrize("noting", [0.0, 0.0001])
def test_no_step_that_is_due_lies_among_those_that_are_free(share: float, noting: float) -> None:
    budget, now, free, looks = LookBudget(share), 0.0, 0, 0
    for step in range(2000):
        due = budget.is_due(step, now)
        if free:
            # the steps went on to take as long as they did
            assert not due, step
            free -= 1
        elif not due:
            free = max(budget.steps_until_due(step, now) - 1, 0)
        else:
            looks += 1
            budget.record_look(step, 0.00053)
            budget.looking_seconds += 0.00053
        budget.noting_seconds += noting
        now += 0.00041
    assert looks > FIRST_LOOKS


@pytest.mark.parametrize("seconds", [0.0003, 0.002])
def test_how_long_a_look_takes_hardly_changes_which_early_steps_are_looked_at(
    seconds: float,
) -> None:
    budget, looks = LookBudget(0.02), []
    for step in range(100):
        if budget.is_due(step, 0.0004 * step):
            looks.append(step)
            budget.record_look(step, seconds)
            budget.looking_seconds += seconds
    assert looks == [0, 1, 2, 3, 4, 5, 6, 7, 9, 11, 14, 18, 23, 29, 37, 48, 62, 80]


def test_looks_get_ever_further_apart_up_to_step_100() -> None:
    budget, looks = LookBudget(0.99), []
    for step in range(100):
        if budget.is_due(step, 1e6):  # all the time in the world
            looks.append(step)
            budget.record_look(step, 0.0)
    assert looks[:5] == [0, 1, 2, 3, 4]
    assert looks[-4:] == [37, 48, 62, 80]


def test_all_steps_and_none() -> None:
    assert not LookBudget(0.0).is_due(0, 0.0)
    assert LookBudget(0.0).steps_until_due(0, 0.0) > 1_000_000
    everything = LookBudget(1.0)
    for step in range(200):
        assert everything.is_due(step, 0.0)
        everything.record_look(step, 1.0)
        everything.looking_seconds += 1.0


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_of_the_time_is_between_0_and_1(share: float) -> None:
    with pytest.raises(ArgumentError, match="budget must be"):
        LookBudget(share)
