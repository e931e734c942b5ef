"""Trials by either backend, one training at a time or many at once: the same trials, within the
budget, whatever fails; how often they are wrong; and which trainings are one race.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sevensteps.doctor.finding import Finding, Remedy, Severity
from sevensteps.doctor.trials import scheduler
from sevensteps.doctor.trials.changes import Change, random_change
from sevensteps.doctor.trials.scheduler import (
    TIME_IS_OVER,
    Clock,
    TrainingBackend,
    TrialScheduler,
    remedies_to_try,
)
from sevensteps.doctor.trials.trial import MOST, PAIRS, Trial, best_trial
from sevensteps.doctor.trials.user_function import FunctionBackend
from sevensteps.errors import ArgumentError
from sevensteps.steps import parse

CURE: Change = {"step": "sgd(lr=0.1)"}
WORSE: Change = {"step": "sgd(lr=30.0)"}
PRESENT = {"step": parse("step", "sgd(lr=10.0)")}
Measure = Callable[[Change, int], float]
Prepared = tuple[Change, int]


def draw(change: Change, generator: torch.Generator) -> Change | None:
    return random_change(PRESENT, change, generator)


@dataclass
class Artificial:
    """Trainings with the results that `measure` gives, in lockstep, or each alone in one race.

    `races` is what was trained at once; what a training takes is added to the `now` of `clock`."""

    measured: Measure
    lockstep: bool = True
    numbers: float = 1.0
    clock: Any = None
    seconds: Callable[[Change], float] = lambda change: 0.0
    races: list[list[Prepared]] = field(default_factory=list)

    def prepare(self, change: Change, seed: int) -> Prepared:
        if "data" in change:
            raise ArgumentError("the data cannot be changed")
        return change, seed

    def size(self, training: Prepared) -> float:
        return self.numbers

    def lockstep_groups(self, trainings: Sequence[Prepared]) -> list[list[int]]:
        every = [*range(len(trainings))]
        return [every] if self.lockstep else [[position] for position in every]

    def train(self, trainings: Sequence[Prepared]) -> list[tuple[float, float]]:
        self.races.append(list(trainings))
        if self.clock is not None:
            self.clock.now += sum(self.seconds(change) for change, _ in trainings)
        return [(self.measured(change, seed), self.seconds(change)) for change, seed in trainings]

    def measure(self, condition: str) -> str:
        return "your measure"

    def value(self, condition: str, result: float) -> float:
        return result


Make = Callable[..., TrainingBackend]


def one_at_a_time(
    measured: Measure, clock: Any = None, seconds: Callable[[Change], float] = lambda change: 0.0
) -> TrainingBackend:
    def retrain(change: Change, seed: int) -> float:
        if "data" in change:
            raise ArgumentError("the data cannot be changed")
        if clock is not None:
            clock.now += seconds(change)
        return measured(change, seed)

    return FunctionBackend(retrain)


def at_once(measured: Measure, **options: Any) -> TrainingBackend:
    return Artificial(measured, **options)


def at_once_alone(measured: Measure, **options: Any) -> TrainingBackend:
    return Artificial(measured, lockstep=False, **options)


BACKENDS: dict[str, Make] = {
    "one at a time": one_at_a_time,
    "at once, in lockstep": at_once,
    "at once, each alone": at_once_alone,
}
every_backend = pytest.mark.parametrize("make", BACKENDS.values(), ids=BACKENDS)


def tried(
    backend: TrainingBackend,
    *changes: Change,
    budget: float = 1e9,
    on_trial: Callable[[Trial], None] = lambda trial: None,
    random_change: Any = draw,
    **options: Any,
) -> list[Trial]:
    one = TrialScheduler(backend, 0, Clock(budget), random_change, **options)
    return one.try_all([("c", change) for change in changes], on_trial)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time that trials see: `clock.now`, which only a test moves on."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(
        "sevensteps.doctor.trials.scheduler.time", SimpleNamespace(perf_counter=lambda: clock.now)
    )
    return clock


def helps(change: Change, seed: int) -> float:
    """Only the cure helps, the more the later the seed."""
    return 0.9 + 0.001 * seed if change == CURE else 0.1


# -- how often they are wrong ----------------------------------------------------------------------


def noisy(effect: float, noise: float, key: int) -> Measure:
    """0.5 and noise; what is cured has `effect` more."""
    source = random.Random(key)
    return lambda change, seed: 0.5 + source.gauss(0, noise) + (effect if change == CURE else 0.0)


def share_proven(effect: float, noise: float, least: float, count: int) -> float:
    trials = (
        tried(one_at_a_time(noisy(effect, noise, key)), CURE, least=least)[0]
        for key in range(count)
    )
    return sum(trial.proven for trial in trials) / count


# 4.3, 4.4 and 3.0 % of 4,000 each; the bound leaves 5 % three standard deviations of such a count
@pytest.mark.parametrize(("noise", "least"), [(0.05, 0.0), (0.05, 0.01), (0.01, 0.01)])
@pytest.mark.parametrize("count", [400, pytest.param(4000, marks=pytest.mark.slow)])
@pytest.mark.long
def test_of_remedies_without_effect_few_are_called_proven(
    noise: float, least: float, count: int
) -> None:
    assert share_proven(0.0, noise, least, count) < 0.05 + 3 * (0.05 * 0.95 / count) ** 0.5


def test_remedies_that_harm_are_never_called_proven() -> None:
    assert share_proven(-0.1, 0.02, 0.0, 200) == 0


@pytest.mark.parametrize(("effect", "noise"), [(0.3, 0.03), (0.05, 0.005), (0.5, 0.05)])
@pytest.mark.long
def test_what_helps_is_proven(effect: float, noise: float) -> None:
    assert share_proven(effect, noise, 0.01, 200) > 0.97


def test_an_effect_that_is_not_worth_while_is_not_proven() -> None:
    assert share_proven(0.005, 0.0001, 0.01, 50) == 0
    assert share_proven(0.005, 0.0001, 0.0, 50) == 1


# -- what every backend comes to -------------------------------------------------------------------


def graded(effect: float, key: int) -> Measure:
    """0.5 and noise, the same for the same training; the smaller a rate, the more it has of
    `effect`.
    """

    def measured(change: Change, seed: int) -> float:
        rate = parse("step", change["step"]).lr if change else 10.0
        return 0.5 + effect / rate + random.Random(f"{key} {change} {seed}").gauss(0, 0.05)

    return measured


@pytest.mark.parametrize("effect", [0.0, 0.005, 0.02, 0.05])
@pytest.mark.sampled(1)
def test_the_trials_are_the_same_by_every_backend(effect: float) -> None:
    changes: list[Change] = [CURE, {"step": "sgd(lr=0.5)"}, WORSE, {"step": "sgd(lr=2.0)"}]
    lengths, verdicts = set(), set()
    for key in range(15):
        apart = TrialScheduler(one_at_a_time(graded(effect, key)), 0, Clock(1e9), draw, least=0.01)
        expected = [trial for change in changes for trial in apart.try_all([("c", change)])]
        for make in BACKENDS.values():
            assert tried(make(graded(effect, key)), *changes, least=0.01) == expected
        lengths |= {len(trial.seeds) for trial in expected}
        verdicts |= {trial.proven for trial in expected}
    assert {1, PAIRS, MOST} <= lengths
    assert True in verdicts or not effect


@every_backend
def test_each_seed_is_trained_untouched_remedied_and_changed_at_random(make: Make) -> None:
    trained: list[tuple[str, int]] = []

    def measured(change: Change, seed: int) -> float:
        kind = "untouched" if not change else "remedied" if change == CURE else "random"
        trained.append((kind, seed))
        return {"untouched": 0.1, "remedied": 0.9, "random": 0.2}[kind] + 0.001 * seed

    [trial] = tried(make(measured), CURE)
    assert trained == [
        (kind, seed) for seed in range(PAIRS) for kind in ("untouched", "remedied", "random")
    ]
    assert trial.seeds == [0, 1, 2]
    for numbers, first in ((trial.untouched, 0.1), (trial.remedied, 0.9), (trial.random, 0.2)):
        assert numbers == pytest.approx([first, first + 0.001, first + 0.002])
    assert trial.proven


@every_backend
def test_untouched_trainings_are_done_once_for_all_remedies(make: Make) -> None:
    counts: Counter[tuple[str, int]] = Counter()

    def measured(change: Change, seed: int) -> float:
        counts[str(change), seed] += 1
        return 0.1 if not change else 0.9

    one = TrialScheduler(make(measured), 0, Clock(1e9), draw)
    for changes in ([CURE, {"step": "sgd(lr=0.2)"}], [{"step": "sgd(lr=0.3)"}]):
        assert all(trial.proven for trial in one.try_all([("c", change) for change in changes]))
    untouched = {seed: count for (change, seed), count in counts.items() if change == "{}"}
    assert untouched == {0: 1, 1: 1, 2: 1}


@every_backend
@pytest.mark.parametrize(
    ("after", "seeds"), [(0.4, 1), (0.5, 1), (0.505, 1), (float("nan"), 1), (0.52, 3)]
)
def test_a_remedy_that_fails_on_the_seed_that_showed_the_fault_is_not_tried_further(
    make: Make, after: float, seeds: int
) -> None:
    trained: list[Change] = []

    def measured(change: Change, seed: int) -> float:
        trained.append(change)
        return after if change else 0.5

    [trial] = tried(make(measured), CURE, least=0.01, random_change=lambda change, draw: None)
    assert len(trial.seeds) == seeds
    assert len(trained) == 2 * seeds
    assert trial.random == []


@every_backend
def test_two_seeds_more_only_where_three_leave_it_open(make: Make) -> None:
    def seeds(*differences: float, least: float = 0.0) -> int:
        backend = make(lambda change, seed: differences[seed] if change == CURE else 0.0)
        return len(tried(backend, CURE, least=least)[0].seeds)

    assert seeds(1.0, 1.1, 0.9) == PAIRS  # proven
    assert seeds(1.0, -2.0, -2.5, 9, 9) == MOST  # the interval holds both
    assert seeds(0.5, 0.2, 1.0, 0.6, 9) == 4  # proven by the fourth
    assert seeds(0.02, 0.001, 0.002, 9, 9, least=0.1) == 1


@every_backend
def test_the_same_seed_draws_the_same_random_changes(make: Make) -> None:
    first, second = (tried(make(helps), CURE)[0].random_changes for _ in range(2))
    assert first == second
    assert len(first) == PAIRS
    assert len({change["step"] for change in first}) == PAIRS
    for change in first:
        rate = parse("step", change["step"]).lr
        # the remedy takes a hundredth, so that it is at most a hundred times either way
        assert 0.1 < rate <= 1000
        assert rate != 10.0


# -- what fails ------------------------------------------------------------------------------------


@every_backend
def test_a_change_that_does_not_fit_says_so_and_the_others_go_on(make: Make) -> None:
    first, second = tried(make(helps), {"data": "standardize()"}, CURE)
    assert first.verdict.startswith("not tried, ")
    assert first.verdict.endswith("the data cannot be changed")
    assert second.proven


@every_backend
@pytest.mark.parametrize("failing_seed", [0, 1])
def test_a_training_that_fails_says_so_and_the_others_come_to_the_same(
    make: Make, failing_seed: int
) -> None:
    def measured(change: Change, seed: int) -> float:
        if change == WORSE and seed == failing_seed:
            raise ArgumentError("the network fails")
        return 0.9 + 0.01 * seed if change in (CURE, WORSE) else 0.1

    first, second = tried(make(measured), WORSE, CURE)
    assert first.seeds == [0][:failing_seed]
    assert first.note.endswith("the network fails")
    assert not first.proven
    assert [second] == tried(make(measured), CURE)
    assert second.proven


def test_a_race_that_fails_is_trained_one_by_one_to_tell_which_it_was() -> None:
    def measured(change: Change, seed: int) -> float:
        if change == WORSE and seed == 0:
            raise ArgumentError("the network fails")
        return helps(change, seed)

    backend = Artificial(measured)
    tried(backend, WORSE, CURE)
    assert backend.races[:4] == [
        [({}, 0), (WORSE, 0), (CURE, 0)],
        [({}, 0)],
        [(WORSE, 0)],
        [(CURE, 0)],
    ]


@every_backend
def test_a_random_change_that_fails_is_left_out(make: Make) -> None:
    def measured(change: Change, seed: int) -> float:
        if change and change != CURE and seed == 1:
            raise ValueError("cannot be made")
        return 0.9 if change == CURE else 0.1

    [trial] = tried(make(measured), CURE)
    assert len(trial.random) == len(trial.random_changes) == 2
    assert trial.proven


@every_backend
def test_what_the_untouched_training_raises_goes_through(make: Make) -> None:
    with pytest.raises(ZeroDivisionError):
        tried(make(lambda change, seed: 0.9 if change else 1 / 0), WORSE, CURE)


@pytest.mark.parametrize("make", [at_once, at_once_alone])
def test_what_is_no_error_of_ours_goes_through(make: Make) -> None:
    with pytest.raises(ZeroDivisionError):
        tried(make(lambda change, seed: 1 / 0 if change == CURE else 0.1), WORSE, CURE)


@every_backend
def test_an_interrupt_goes_through_and_trials_that_have_ended_are_handed_over(make: Make) -> None:
    def measured(change: Change, seed: int) -> float:
        if seed == 1:
            raise KeyboardInterrupt
        return 0.9 if change == CURE else 0.1

    ended: list[Trial] = []
    with pytest.raises(KeyboardInterrupt):
        tried(make(measured), WORSE, CURE, on_trial=ended.append)
    assert [(trial.change, trial.verdict) for trial in ended] == [
        (WORSE, "did not help: your measure 0.1 → 0.1")
    ]


# -- the budget ------------------------------------------------------------------------------------


def timed(
    make: Make, clock: SimpleNamespace, untouched: float, remedied: float, randomly: float = -1.0
) -> TrainingBackend:
    """Trainings that take so many seconds, changed at random as many as untouched if not given."""

    def seconds(change: Change) -> float:
        if change == CURE:
            return remedied
        return randomly if change and randomly >= 0 else untouched

    return make(helps, clock=clock, seconds=seconds)


@every_backend
@pytest.mark.parametrize(
    ("seconds", "budget", "seeds", "randomly"),
    [
        ((1, 1), 100, 3, 3),
        ((10, 10), 90, 3, 3),
        ((10, 10), 89, 3, 2),
        ((10, 10), 79, 2, 2),
        ((10, 10), 49, 1, 1),
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
    make: Make,
    clock: SimpleNamespace,
) -> None:
    [trial] = tried(timed(make, clock, *seconds), CURE, budget=budget, seconds_each=seconds[0])
    assert (len(trial.seeds), len(trial.random)) == (seeds, randomly)
    assert clock.now <= budget
    assert trial.note == (TIME_IS_OVER if seeds < PAIRS else "")
    assert trial.proven is (seeds == PAIRS)


@pytest.mark.parametrize(
    ("seconds", "budget", "seeds", "spent"),
    [
        ((1, 1, 1), 100, 3, 9),
        ((10, 10, 10), 90, 3, 90),
        ((10, 10, 10), 79, 2, 60),
        ((10, 10, 10), 49, 1, 30),
        ((10, 10, 10), 20, 1, 20),
        ((10, 10, 10), 19, 0, 10),
        ((10, 50, 10), 180, 2, 140),
        ((10, 50, 10), 250, 3, 210),
        ((0.001, 50, 0.001), 120, 2, 100.003),
    ],
)
def test_one_at_a_time_the_time_is_learned_and_nothing_is_begun_in_vain(
    seconds: tuple[float, float, float],
    budget: float,
    seeds: int,
    spent: float,
    clock: SimpleNamespace,
) -> None:
    [trial] = tried(timed(one_at_a_time, clock, *seconds), CURE, budget=budget)
    assert len(trial.seeds) == seeds
    assert clock.now == pytest.approx(spent)


@every_backend
def test_what_took_long_once_is_not_begun_again(make: Make, clock: SimpleNamespace) -> None:
    # that it takes so long could not be known
    [trial] = tried(timed(make, clock, 1, 500, 1), CURE, budget=60, seconds_each=1.0)
    assert trial.seeds == [0]
    assert clock.now == 501  # no random change either
    assert trial.verdict == f"not proven: your measure 0.1 → 0.9; {TIME_IS_OVER}"


@every_backend
def test_later_remedies_need_no_time_for_untouched_trainings(
    make: Make, clock: SimpleNamespace
) -> None:
    one = TrialScheduler(timed(make, clock, 10, 10), 0, Clock(120), draw, seconds_each=10.0)
    assert one.try_all([("c", CURE)])[0].proven
    assert clock.now == 90
    [second] = one.try_all([("c", {"step": "sgd(lr=0.2)"})])  # which does not help
    assert (len(second.seeds), clock.now) == (1, 100)
    [third] = one.try_all([("c", CURE)])
    assert (len(third.seeds), clock.now) == (1, 120)
    assert one.try_all([("c", CURE)])[0].verdict == f"not tried, {TIME_IS_OVER}"
    assert clock.now == 120


def test_what_is_faster_in_lockstep_leaves_room_for_more(clock: SimpleNamespace) -> None:
    backend = Artificial(helps, clock=clock, seconds=lambda change: 1.0)
    # ten times faster than one alone: there seemed to be time for two
    [trial, other] = tried(backend, CURE, WORSE, budget=25, seconds_each=10.0)
    assert trial.proven
    assert other.seeds == [0]
    assert [len(race) for race in backend.races] == [2, 7, 1]
    assert clock.now == 10


@every_backend
def test_where_time_is_short_the_first_remedy_is_tried_to_the_end(
    make: Make, clock: SimpleNamespace
) -> None:
    backend = timed(make, clock, 10, 10)
    changes: list[Change] = [CURE, {"step": "sgd(lr=0.2)"}, WORSE]
    first, second, third = tried(backend, *changes, budget=110, seconds_each=10.0)
    assert (first.proven, second.seeds, third.seeds) == (True, [0], [0])
    assert clock.now == 110
    [late] = tried(backend, CURE, budget=1, seconds_each=10.0)
    assert late.verdict == f"not tried, {TIME_IS_OVER}"


# -- what is one race, and what is reported --------------------------------------------------------


def test_trainings_that_do_not_depend_on_each_other_are_one_race() -> None:
    def measured(change: Change, seed: int) -> float:
        return 0.1 if not change or change == WORSE else 0.9 if change == CURE else 0.2

    backend, reported = Artificial(measured), list[str]()
    first, second = tried(backend, WORSE, CURE, report=reported.append)
    assert backend.races[0] == [({}, 0), (WORSE, 0), (CURE, 0)]
    controls = second.random_changes
    assert backend.races[1:] == [
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
    assert reported == [
        "c, 2 remedies: seed 1 of 3, 3 trainings",
        "c, step = sgd(lr=0.1): seeds 2 to 3 of 3, 7 trainings",
    ]


def test_more_seeds_only_for_those_that_three_leave_open() -> None:
    undecided = {"step": "sgd(lr=0.5)"}

    def measured(change: Change, seed: int) -> float:
        return (
            1.0 + 0.01 * seed
            if change == CURE
            else [1.0, -2.0, -2.5, 9.0, 9.0][seed]
            if change == undecided
            else 0.0
        )

    backend, reported = Artificial(measured), list[str]()
    first, second = tried(backend, CURE, undecided, report=reported.append)
    assert (len(first.seeds), len(second.seeds)) == (PAIRS, MOST)
    assert backend.races[2:] == [[({}, 3), (undecided, 3)], [({}, 4), (undecided, 4)]]
    assert reported[2:] == [
        "c, step = sgd(lr=0.5): seed 4 of 5, 2 trainings",
        "c, step = sgd(lr=0.5): seed 5 of 5, 2 trainings",
    ]


def test_one_at_a_time_each_training_is_reported_with_its_seed() -> None:
    reported: list[str] = []
    backend = one_at_a_time(
        lambda change, seed: [1.0, -2.0, -2.5, 9, 9][seed] if change == CURE else 0.0
    )
    tried(backend, CURE, report=reported.append)
    assert reported[0] == "c, step = sgd(lr=0.1): seed 1 of 3, untouched"
    assert [line.split(": ")[1] for line in reported if "remedied" in line] == [
        "seed 1 of 3, remedied",
        "seed 2 of 3, remedied",
        "seed 3 of 3, remedied",
        "seed 4 of 5, remedied",
        "seed 5 of 5, remedied",
    ]
    assert sum("changed at random" in line for line in reported) == 3


def test_a_race_takes_no_more_memory_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tried(Artificial(helps), WORSE, CURE)
    for allowed, most in ((100.0, 3), (30.0, 1), (1.0, 1)):
        monkeypatch.setattr(scheduler, "MAX_NUMBERS", allowed)
        backend = Artificial(helps, numbers=30.0)
        assert tried(backend, WORSE, CURE) == whole
        assert max(map(len, backend.races)) == most
    assert best_trial(whole) is whole[1]


# -- which remedies --------------------------------------------------------------------------------


def finding(*changes: Change, condition: str, severity: Severity = "error") -> Finding:
    remedies = [Remedy(change, "shorter") for change in changes]
    return Finding(condition, "step", severity, 0.9, "The steps are too long.", [], remedies)


def test_remarks_and_advice_are_not_tried_and_nothing_twice() -> None:
    findings = [
        finding(CURE, {}, {"step": "sgd(lr=0.01)"}, condition="learning_rate_too_high"),
        finding({"step": "sgd(lr=3.0)"}, condition="dead_units", severity="info"),
        finding(CURE, {"initialize": "zeros()"}, condition="not_finite", severity="warning"),
    ]
    assert [(found.condition, change) for found, change in remedies_to_try(findings)] == [
        ("learning_rate_too_high", CURE),
        ("learning_rate_too_high", {"step": "sgd(lr=0.01)"}),
        ("not_finite", {"initialize": "zeros()"}),
    ]
