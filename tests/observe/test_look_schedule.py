"""Which steps are looked at follows from sizes and step numbers, and keeps to the budget."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import nn

from sevensteps.errors import ArgumentError
from sevensteps.observe.look_schedule import (
    FEW_LOOKS,
    FIRST_LOOKS,
    LATE_GROWTH,
    LATE_STEP,
    LEAST_GROWTH,
    MOST_GROWTH,
    THINNED_SECONDS,
    USUAL_GROWTH,
    LookSchedule,
    StepSize,
    first_looks,
    growth,
    step_size,
)
from sevensteps.observe.network_facts import network_facts

SMALL = StepSize(layers=3, tensors=4, parameters=24_000, numbers=20_000, products=6e6)
DEEP = StepSize(layers=39, tensors=40, parameters=84_000, numbers=320_000, products=1e7)
LARGE = StepSize(layers=60, tensors=150, parameters=25_000_000, numbers=10**7, products=1e9)


def looked_at(
    size: StepSize, steps: int, budget: float = 0.02, seconds: float = 0.0, step_seconds: float = 1
) -> tuple[list[int], LookSchedule]:
    """The steps looked at, where a look takes `seconds` and a step `step_seconds` by the clock."""
    schedule, looks = LookSchedule(budget), []
    for step in range(steps):
        if schedule.is_due(step):
            looks.append(step)
            schedule.set_size(size)
            elapsed = step * step_seconds + schedule.looking_seconds
            schedule.record_look(step, seconds, elapsed)
            schedule.looking_seconds += seconds
    return looks, schedule


@pytest.mark.parametrize("size", [SMALL, DEEP, LARGE])
def test_the_first_steps_are_looked_at_then_the_distances_grow(size: StepSize) -> None:
    looks, _ = looked_at(size, 5000)
    assert looks[:FEW_LOOKS] == list(range(FEW_LOOKS))
    short = [step for step in looks if step < LATE_STEP]
    assert all(b <= MOST_GROWTH * (a + 1) + 1 for a, b in itertools.pairwise(short))
    assert all(b <= LATE_GROWTH * (a + 1) + 1 for a, b in itertools.pairwise(looks))
    assert max(b - a for a, b in itertools.pairwise(looks)) > 1


def test_what_takes_long_to_look_at_is_looked_at_less_often_in_a_short_training() -> None:
    (small, _), (deep, _) = (looked_at(size, LATE_STEP) for size in (SMALL, DEEP))
    assert small[:FIRST_LOOKS] == list(range(FIRST_LOOKS))
    assert FEW_LOOKS < len(deep) <= 2 * len(small) / 3 + 1


@pytest.mark.parametrize("size", [SMALL, DEEP, LARGE])
@pytest.mark.parametrize("budget", [0.005, 0.02, 0.2])
def test_looks_take_about_their_share_of_a_long_training(size: StepSize, budget: float) -> None:
    looks, _ = looked_at(size, 200_000, budget)
    share = len(looks) * size.look_seconds() / (200_000 * size.step_seconds())
    assert 0.3 * budget < share < budget


def test_the_clock_does_not_decide() -> None:
    slow, _ = looked_at(SMALL, 3000, seconds=0.02, step_seconds=0.1)
    fast, schedule = looked_at(SMALL, 3000, seconds=0.0001, step_seconds=0.0001)
    assert slow == fast
    assert schedule.thinned is None


def test_looks_far_beyond_the_budget_are_thinned_out_and_it_is_said() -> None:
    planned, _ = looked_at(SMALL, 20_000)
    looks, schedule = looked_at(SMALL, 20_000, seconds=0.05, step_seconds=0.0005)
    assert schedule.thinned is not None
    kept = [step for step in looks if step < schedule.thinned]
    assert kept == [step for step in planned if step < schedule.thinned]
    assert len(looks) < len(planned)
    assert len(kept) * 0.05 >= THINNED_SECONDS
    assert looks[-1] > 2000, "and they go on"


def test_steps_in_groups_are_not_always_looked_at_in_the_same_place() -> None:
    looks, _ = looked_at(SMALL, 100_000)
    late = [step for step in looks if step > 10_000]
    for period in (2, 3, 4, 5, 8):
        assert {step % period for step in late} == set(range(period))


@pytest.mark.parametrize("budget", [0.0, 0.02, 0.5, 1.0])
def test_steps_until_due_are_those_before_the_next_look(budget: float) -> None:
    looks, _ = looked_at(DEEP, 2000, budget)
    schedule, free = LookSchedule(budget), []
    step = schedule.steps_until_due(0)
    while step < 2000:
        free.append(step)
        assert schedule.is_due(step)
        assert step == 0 or not schedule.steps_until_due(step)
        schedule.set_size(DEEP)
        schedule.record_look(step, 0.0, float(step))
        step += 1 + schedule.steps_until_due(step + 1)
    assert free == looks


def test_all_steps_and_none() -> None:
    assert looked_at(LARGE, 200, budget=1.0, seconds=1.0)[0] == list(range(200))
    assert looked_at(LARGE, 200, budget=0.0)[0] == []
    assert LookSchedule(0.0).steps_until_due(0) > 1_000_000


def test_the_first_look_after_each_power_of_two_is_full() -> None:
    schedule, full, looks = LookSchedule(0.02), [], []
    for step in range(50_000):
        if schedule.is_due(step):
            looks.append(step)
            schedule.set_size(SMALL)
            if schedule.is_full(step):
                full.append(step)
            schedule.record_look(step, 0.0, float(step))
    for power in range(15):
        assert next(step for step in looks if step + 1 >= 2**power) in full
    assert len(full) < len(looks) / 2


def test_what_happens_is_looked_at_next() -> None:
    schedule = LookSchedule(0.02)
    for step in range(FIRST_LOOKS):
        schedule.set_size(LARGE)
        schedule.record_look(step, 0.0, 1.0)
    schedule.record_look(1000, 0.0, 1.0)
    assert not schedule.is_due(1001)
    schedule.look_next(1001)
    assert schedule.is_due(1001)
    nothing = LookSchedule(0.0)
    nothing.look_next(3)
    assert not nothing.is_due(3)


@pytest.mark.parametrize("distance", [1.0, 10.0, 100.0, 10_000.0])
@pytest.mark.parametrize(("early", "most"), [(0.5, 0.5), (0.5, 9.0), (5.0, 12.0), (20.0, 20.0)])
def test_growth_is_the_least_that_the_early_looks_allow(
    distance: float, early: float, most: float
) -> None:
    def extra(factor: float) -> float:
        """Looks beyond the regular ones, counted one by one."""
        looks = first_looks(factor)
        step = float(looks)
        while step * (factor - 1) < distance:
            step, looks = step * factor, looks + 1
        return looks - step / distance

    factor = growth(distance, early, most)
    allowed = early if factor < USUAL_GROWTH else most
    assert LEAST_GROWTH <= factor <= MOST_GROWTH
    assert first_looks(factor) == (FIRST_LOOKS if factor <= USUAL_GROWTH else FEW_LOOKS)
    assert factor == MOST_GROWTH or extra(factor) <= allowed + 2
    if factor > LEAST_GROWTH + 0.1 and factor not in (USUAL_GROWTH, USUAL_GROWTH + 0.05):
        assert extra(factor - 0.1) > allowed - 2


def test_a_size_counts_products_as_a_multiplication_by_hand_does() -> None:
    network = nn.Sequential(
        nn.Embedding(1000, 6), nn.Conv1d(5, 7, 3), nn.Flatten(), nn.Linear(28, 2)
    )
    tokens, shapes = torch.zeros(4, 5, dtype=torch.long), {}
    x = tokens
    for name, module in network.named_children():
        x = module(x)
        shapes[name] = [tuple(x.shape)]
    size = step_size(network_facts(network), shapes)
    convolution = 4 * 4 * 7 * 5 * 3  # samples, places, channels out, channels in, kernel
    assert size.products == convolution + 4 * 28 * 2
    assert size.parameters == sum(p.numel() for p in network.parameters())
    assert size.tensors == 5
    assert size.layers == 4
    assert size.numbers == sum(math.prod(shape) for (shape,) in shapes.values())
    assert step_size(network_facts(network), shapes, 3).products == 3 * size.products


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_of_the_time_is_between_0_and_1(share: float) -> None:
    with pytest.raises(ArgumentError, match="budget must be"):
        LookSchedule(share)
