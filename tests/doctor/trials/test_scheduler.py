"""Remedies tried in rounds: the same trials as one training after another, which races, what they
spend, what fails, when it ends.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sevensteps.doctor.trials import scheduler
from sevensteps.doctor.trials.changes import Change, at_random
from sevensteps.doctor.trials.laboratory import OVER, Clock, Laboratory
from sevensteps.doctor.trials.scheduler import Rounds
from sevensteps.doctor.trials.trial import MOST, PAIRS, Trial, best
from sevensteps.errors import ArgumentError
from sevensteps.steps import parse

CURE: Change = {"step": "sgd(lr=0.1)"}
WORSE: Change = {"step": "sgd(lr=30.0)"}
HELD = {"step": parse("step", "sgd(lr=10.0)")}
Measure = Callable[[Change, int], float]
Ready = tuple[Change, int]


def draw(change: Change, generator: torch.Generator) -> Change | None:
    return at_random(HELD, change, generator)


@dataclass
class Artificial:
    """Trainings that come to what `train` says, each in a lane of its own unless `together`.
    `races` is what was trained at once.
    """

    train: Measure
    together: bool = True
    numbers: float = 1.0
    clock: Any = None  # what a training takes is added to its `now`
    seconds: Callable[[Change], float] = lambda change: 0.0
    races: list[list[Ready]] = field(default_factory=list)

    def ready(self, change: Change, seed: int) -> Ready:
        if "data" in change:
            raise ArgumentError("the data cannot be changed")
        return change, seed

    def size(self, ready: Ready) -> float:
        return self.numbers

    def lanes(self, ready: Sequence[Ready]) -> list[list[int]]:
        return [[*range(len(ready))]] if self.together else [[index] for index in range(len(ready))]

    def race(self, ready: Sequence[Ready]) -> list[tuple[float, float]]:
        self.races.append(list(ready))
        if self.clock is not None:
            self.clock.now += sum(self.seconds(change) for change, _ in ready)
        return [(self.train(change, seed), self.seconds(change)) for change, seed in ready]

    def measure(self, condition: str) -> str:
        return "accuracy"

    def value(self, condition: str, result: float) -> float:
        return result


def tried(
    train: Measure | Artificial,
    *changes: Change,
    budget: float = 1e9,
    each: float = 0.0,
    least: float = 0.0,
    **given: Any,
) -> list[Trial]:
    racing = train if isinstance(train, Artificial) else Artificial(train)
    keep = given.pop("keep", lambda trial: None)
    made = Rounds(
        racing, 0, Clock(budget), each, given.pop("at_random", draw), least=least, **given
    )
    return made.try_all([("c", change) for change in changes], keep)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time that trials see: `clock.now`, which only a test moves on."""
    held = SimpleNamespace(now=0.0)
    monkeypatch.setattr(
        "sevensteps.doctor.trials.laboratory.time", SimpleNamespace(perf_counter=lambda: held.now)
    )
    return held


# -- the same as one after another -----------------------------------------------------------------


def noisy(effect: float, key: int) -> Measure:
    """0.5 and noise, the same for the same training; the smaller a rate, the more it has of
    `effect`.
    """

    def train(change: Change, seed: int) -> float:
        rate = parse("step", change["step"]).lr if change else 10.0
        return 0.5 + effect / rate + random.Random(f"{key} {change} {seed}").gauss(0, 0.05)

    return train


@pytest.mark.parametrize("effect", [0.0, 0.005, 0.02, 0.05])
def test_the_trials_are_those_of_one_training_after_another(effect: float) -> None:
    changes: list[Change] = [CURE, {"step": "sgd(lr=0.5)"}, WORSE, {"step": "sgd(lr=2.0)"}]
    lengths, verdicts = set(), set()
    for key in range(40):
        train = noisy(effect, key)
        apart = Laboratory(train, "accuracy", 0, Clock(1e9), draw, least=0.01)
        found = tried(train, *changes, least=0.01)
        assert found == [apart.try_one("c", change) for change in changes]
        lengths |= {len(trial.seeds) for trial in found}
        verdicts |= {trial.proven for trial in found}
    assert {1, PAIRS, MOST} <= lengths
    assert True in verdicts or not effect


def test_what_does_not_depend_on_each_other_is_one_race() -> None:
    def train(change: Change, seed: int) -> float:
        return 0.1 if not change or change == WORSE else 0.9 if change == CURE else 0.2

    racing, said = Artificial(train), list[str]()
    first, second = tried(racing, WORSE, CURE, report=said.append)
    assert racing.races[0] == [({}, 0), (WORSE, 0), (CURE, 0)]
    controls = second.random_changes
    assert racing.races[1:] == [
        [
            (controls[0], 0),
            ({}, 1),
            (CURE, 1),
            (controls[1], 1),
            ({}, 2),
            (CURE, 2),
            (controls[2], 2),
        ]
    ]
    assert (first.seeds, second.seeds, second.proven) == ([0], [0, 1, 2], True)
    assert said == [
        "c, 2 remedies: seed 1 of 3, 3 trainings",
        "c, step = sgd(lr=0.1): seeds 2 to 3 of 3, 7 trainings",
    ]


def test_more_seeds_only_for_those_that_three_leave_open() -> None:
    open_ = {"step": "sgd(lr=0.5)"}

    def train(change: Change, seed: int) -> float:
        return (
            1.0 + 0.01 * seed
            if change == CURE
            else [1.0, -2.0, -2.5, 9.0, 9.0][seed]
            if change == open_
            else 0.0
        )

    racing, said = Artificial(train), list[str]()
    first, second = tried(racing, CURE, open_, report=said.append)
    assert (len(first.seeds), len(second.seeds)) == (PAIRS, MOST)
    assert racing.races[2:] == [[({}, 3), (open_, 3)], [({}, 4), (open_, 4)]]
    assert said[2:] == [
        "c, step = sgd(lr=0.5): seed 4 of 5, 2 trainings",
        "c, step = sgd(lr=0.5): seed 5 of 5, 2 trainings",
    ]


def test_untouched_trainings_are_trained_once_for_all() -> None:
    racing = Artificial(lambda change, seed: 0.9 if change else 0.1)
    held = Rounds(racing, 0, Clock(1e9), 0.0, draw)
    for changes in ([CURE, {"step": "sgd(lr=0.2)"}], [{"step": "sgd(lr=0.3)"}]):
        assert all(trial.proven for trial in held.try_all([("c", change) for change in changes]))
    assert sorted(seed for race in racing.races for change, seed in race if not change) == [0, 1, 2]


# -- what fails ------------------------------------------------------------------------------------


def test_a_change_that_does_not_fit_says_so_and_the_others_go_on() -> None:
    racing = Artificial(lambda change, seed: 0.9 if change == CURE else 0.1)
    first, second = tried(racing, {"data": "standardize()"}, CURE)
    assert first.verdict == "not tried, the data cannot be changed"
    assert second.proven
    assert len(racing.races) == 2


def test_a_training_that_fails_among_others_says_so_and_the_others_come_to_the_same() -> None:
    def train(change: Change, seed: int) -> float:
        if change == WORSE and seed == 0:
            raise ArgumentError("the network fails")
        return 0.9 + 0.01 * seed if change == CURE else 0.1

    racing = Artificial(train)
    first, second = tried(racing, WORSE, CURE)
    assert first.verdict == "not tried, the network fails"
    assert [second] == tried(train, CURE)
    assert second.proven
    assert racing.races[:4] == [
        [({}, 0), (WORSE, 0), (CURE, 0)],
        [({}, 0)],
        [(WORSE, 0)],
        [(CURE, 0)],
    ]  # to tell which it was


def test_on_a_later_seed_too() -> None:
    def train(change: Change, seed: int) -> float:
        if change == CURE and seed == 1:
            raise ArgumentError("the network fails")
        return 0.9 if change else 0.1

    [made, other] = tried(train, CURE, {"step": "sgd(lr=0.2)"})
    assert (made.seeds, made.note, made.proven) == ([0], "the network fails", False)
    assert other.proven


def test_a_random_change_that_fails_is_left_out() -> None:
    def train(change: Change, seed: int) -> float:
        if change and change != CURE and seed == 1:
            raise ValueError("cannot be made")
        return 0.9 if change == CURE else 0.1

    [made] = tried(train, CURE)
    assert len(made.random) == len(made.random_changes) == 2
    assert made.proven


def test_what_is_no_error_of_ours_goes_through() -> None:
    def train(change: Change, seed: int) -> float:
        return 1 / 0 if change == CURE else 0.1

    with pytest.raises(ZeroDivisionError):
        tried(train, WORSE, CURE)


def test_an_interrupt_goes_through_and_what_has_ended_is_kept() -> None:
    def train(change: Change, seed: int) -> float:
        if seed == 1:
            raise KeyboardInterrupt
        return 0.9 if change == CURE else 0.1

    kept: list[Trial] = []
    with pytest.raises(KeyboardInterrupt):
        tried(train, WORSE, CURE, keep=kept.append)
    assert [(trial.change, trial.verdict) for trial in kept] == [
        (WORSE, "did not help: accuracy 0.1 → 0.1")
    ]


# -- time and memory -------------------------------------------------------------------------------


def timed(
    clock: SimpleNamespace, untouched: float, remedied: float, together: bool = False
) -> Artificial:
    return Artificial(
        lambda change, seed: 0.9 + 0.001 * seed if change == CURE else 0.1,
        together,
        clock=clock,
        seconds=lambda change: remedied if change == CURE else untouched,
    )


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    ("seconds", "budget", "seeds", "randomly"),
    [
        ((10, 10), 90, 3, 3),
        ((10, 10), 89, 3, 2),
        ((10, 10), 79, 2, 2),
        ((10, 10), 20, 1, 0),
        ((10, 10), 19, 0, 0),
        ((10, 30), 150, 3, 2),
        ((10, 30), 130, 2, 2),
    ],
)
def test_the_budget_is_kept_by_what_is_known_of_the_time(
    seconds: tuple[float, float],
    budget: float,
    seeds: int,
    randomly: int,
    together: bool,
    clock: SimpleNamespace,
) -> None:
    [made] = tried(timed(clock, *seconds, together), CURE, budget=budget, each=10.0)
    assert (len(made.seeds), len(made.random)) == (seeds, randomly)
    assert clock.now <= budget
    assert made.note == (OVER if seeds < PAIRS else "")
    spent, clock.now = clock.now, 0.0
    racing = timed(clock, *seconds)
    apart = Laboratory(
        lambda change, seed: racing.race([(change, seed)])[0][0],
        "accuracy",
        0,
        Clock(budget, 10.0),
        draw,
    )
    assert apart.try_one("c", CURE) == made
    assert clock.now == spent


def test_what_is_faster_together_leaves_room_for_more(clock: SimpleNamespace) -> None:
    racing = timed(clock, 1, 1, together=True)  # ten times faster than one alone
    [made, other] = tried(racing, CURE, WORSE, budget=25, each=10.0)
    assert made.proven
    assert other.seeds == [0]
    assert [len(race) for race in racing.races] == [2, 7, 1]  # there seemed to be time for two
    assert clock.now == 10


def test_where_time_is_short_the_first_remedy_is_tried_to_the_end(clock: SimpleNamespace) -> None:
    racing = timed(clock, 10, 10)
    first, second, third = tried(
        racing, CURE, {"step": "sgd(lr=0.2)"}, WORSE, budget=110, each=10.0
    )
    assert (first.proven, second.seeds, third.seeds) == (True, [0], [0])
    assert clock.now == 110
    assert (
        tried(racing, CURE, budget=1, each=10.0)[0].verdict
        == "not tried, the time given for trials is over"
    )


def test_what_took_long_once_is_not_begun_again(clock: SimpleNamespace) -> None:
    [made] = tried(timed(clock, 1, 500), CURE, budget=60, each=1.0)  # that could not be known
    assert made.verdict == "not proven: accuracy 0.1 → 0.9; the time given for trials is over"
    assert clock.now == 501


def test_a_race_takes_no_more_memory_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(change: Change, seed: int) -> float:
        return 0.9 if change == CURE else 0.1

    whole = tried(train, WORSE, CURE)
    for held, most in ((100.0, 3), (30.0, 1), (1.0, 1)):
        monkeypatch.setattr(scheduler, "HELD", held)
        racing = Artificial(train, numbers=30.0)
        assert tried(racing, WORSE, CURE) == whole
        assert max(map(len, racing.races)) == most
    assert best(whole) is whole[1]
