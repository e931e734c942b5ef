"""The laboratory, with an artificial measure whose effect is known: how often it is wrong, what it
spends, when it ends.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import sevensteps as ss
from sevensteps.doctor.finding import Finding, Remedy, Severity
from sevensteps.doctor.trials.changes import Change, at_random
from sevensteps.doctor.trials.laboratory import Clock, Laboratory, remedies, try_function
from sevensteps.doctor.trials.trial import MOST, PAIRS, Trial, best
from sevensteps.errors import ArgumentError
from sevensteps.steps import parse

CURE: Change = {"step": "sgd(lr=0.1)"}
HELD = {"step": parse("step", "sgd(lr=10.0)")}
Measure = Callable[[Change, int], float]


def draw(change: Change, generator: torch.Generator) -> Change | None:
    return at_random(HELD, change, generator)


def laboratory(
    train: Measure, *, budget: float = 1e9, least: float = 0.0, **given: Any
) -> Laboratory:
    return Laboratory(
        train, "accuracy", 0, Clock(budget), given.pop("at_random", draw), least=least, **given
    )


def noisy(effect: float, noise: float, key: int) -> Measure:
    """0.5 and noise; what is cured has `effect` more."""
    source = random.Random(key)
    return lambda change, seed: 0.5 + source.gauss(0, noise) + (effect if change == CURE else 0.0)


def finding(
    *changes: Change, condition: str = "learning_rate_too_high", severity: Severity = "error"
) -> Finding:
    return Finding(
        condition,
        "step",
        severity,
        0.9,
        "The steps are too long.",
        [],
        [Remedy(change, "shorter") for change in changes],
    )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time that trials see: `clock.now`, which only a test moves on."""
    held = SimpleNamespace(now=0.0)
    monkeypatch.setattr(
        "sevensteps.doctor.trials.laboratory.time", SimpleNamespace(perf_counter=lambda: held.now)
    )
    return held


# -- how often it is wrong -------------------------------------------------------------------------


def share_proven(effect: float, noise: float, least: float, count: int) -> float:
    made = (
        laboratory(noisy(effect, noise, key), least=least).try_one("c", CURE)
        for key in range(count)
    )
    return sum(trial.proven for trial in made) / count


@pytest.mark.parametrize(
    ("noise", "least"), [(0.05, 0.0), (0.05, 0.01), (0.01, 0.01)]
)  # 4.3, 4.4 and 3.0 % of 4,000 each
def test_of_remedies_without_effect_few_are_called_proven(noise: float, least: float) -> None:
    assert share_proven(0.0, noise, least, 2000) < 0.05


def test_remedies_that_harm_are_never_called_proven() -> None:
    assert share_proven(-0.1, 0.02, 0.0, 200) == 0


@pytest.mark.parametrize(("effect", "noise"), [(0.3, 0.03), (0.05, 0.005), (0.5, 0.05)])
def test_what_helps_is_proven(effect: float, noise: float) -> None:
    assert share_proven(effect, noise, 0.01, 200) > 0.97


def test_an_effect_that_is_not_worth_while_is_not_proven() -> None:
    assert share_proven(0.005, 0.0001, 0.01, 50) == 0
    assert share_proven(0.005, 0.0001, 0.0, 50) == 1


# -- which trainings are done ----------------------------------------------------------------------


def test_each_seed_is_trained_as_it_is_remedied_and_changed_at_random() -> None:
    seen: list[tuple[str, int]] = []

    def train(change: Change, seed: int) -> float:
        seen.append(
            ("untouched" if not change else "remedied" if change == CURE else "random", seed)
        )
        return {"untouched": 0.1, "remedied": 0.9, "random": 0.2}[seen[-1][0]] + 0.001 * seed

    made = laboratory(train).try_one("c", CURE)
    assert seen == [
        (kind, seed) for seed in range(PAIRS) for kind in ("untouched", "remedied", "random")
    ]
    assert made.seeds == [0, 1, 2]
    for numbers, first in ((made.untouched, 0.1), (made.remedied, 0.9), (made.random, 0.2)):
        assert numbers == pytest.approx([first, first + 0.001, first + 0.002])
    assert made.proven


def test_untouched_trainings_are_shared_by_all_remedies() -> None:
    counts: Counter[tuple[str, int]] = Counter()

    def train(change: Change, seed: int) -> float:
        counts[str(change), seed] += 1
        return 0.1 if not change else 0.9

    held = laboratory(train)
    for rate in ("0.1", "0.2", "0.3"):
        assert held.try_one("c", {"step": f"sgd(lr={rate})"}).proven
    assert {seed: count for (change, seed), count in counts.items() if change == "{}"} == {
        0: 1,
        1: 1,
        2: 1,
    }


def test_where_it_does_not_help_the_seed_that_showed_the_fault_it_ends() -> None:
    for after, count in ((0.4, 1), (0.5, 1), (0.505, 1), (float("nan"), 1), (0.52, 3)):
        seen: list[Change] = []
        made = laboratory(
            lambda change, seed, after=after, seen=seen: (
                seen.append(change) or (after if change else 0.5)
            ),  # type: ignore[misc]
            least=0.01,
            at_random=lambda change, draw: None,
        ).try_one("c", CURE)
        assert len(made.seeds) == count, after
        assert len(seen) == 2 * count
        assert made.random == []


def test_two_seeds_more_only_where_three_leave_it_open() -> None:
    def lengths(*differences: float) -> int:
        return len(
            laboratory(lambda change, seed: differences[seed] if change == CURE else 0.0)
            .try_one("c", CURE)
            .seeds
        )

    assert lengths(1.0, 1.1, 0.9) == PAIRS  # proven
    assert lengths(1.0, -2.0, -2.5, 9, 9) == MOST  # the interval holds both
    assert lengths(0.5, 0.2, 1.0, 0.6, 9) == 4  # proven by the fourth
    assert laboratory(
        lambda change, seed: [0.02, 0.001, 0.002, 9, 9][seed] if change == CURE else 0.0, least=0.1
    ).try_one("c", CURE).seeds == [0]


def test_the_later_seeds_are_announced_as_such() -> None:
    said: list[str] = []
    laboratory(
        lambda change, seed: [1.0, -2.0, -2.5, 9, 9][seed] if change == CURE else 0.0,
        report=said.append,
    ).try_one("c", CURE)
    assert said[0] == "c, step = sgd(lr=0.1): seed 1 of 3, untouched"
    assert [line.split(": ")[1] for line in said if "remedied" in line] == [
        "seed 1 of 3, remedied",
        "seed 2 of 3, remedied",
        "seed 3 of 3, remedied",
        "seed 4 of 5, remedied",
        "seed 5 of 5, remedied",
    ]
    assert sum("at random" in line for line in said) == 3


def test_the_same_seed_draws_the_same_random_changes() -> None:
    def train(change: Change, seed: int) -> float:
        return 0.9 if change == CURE else 0.1

    first, second = (laboratory(train).try_one("c", CURE).random_changes for _ in range(2))
    assert first == second
    assert len(first) == PAIRS
    assert len({change["step"] for change in first}) == PAIRS
    for change in first:
        rate = parse("step", change["step"]).lr
        assert (
            0.1 < rate <= 1000
        )  # the remedy takes a hundredth, so at most a hundred times either way
        assert rate != 10.0


def test_a_random_change_that_fails_is_left_out() -> None:
    def train(change: Change, seed: int) -> float:
        if change and change != CURE and seed == 1:
            raise ValueError("cannot be made")
        return 0.9 if change == CURE else 0.1

    made = laboratory(train).try_one("c", CURE)
    assert len(made.random) == len(made.random_changes) == 2
    assert made.proven


# -- the budget ------------------------------------------------------------------------------------


def timed(clock: SimpleNamespace, untouched: float, remedied: float, randomly: float) -> Measure:
    def train(change: Change, seed: int) -> float:
        clock.now += untouched if not change else remedied if change == CURE else randomly
        return 0.9 + 0.001 * seed if change == CURE else 0.1

    return train


@pytest.mark.parametrize(
    ("seconds", "budget", "seeds"),
    [
        ((1, 1, 1), 100, 3),
        ((10, 10, 10), 90, 3),
        ((10, 10, 10), 89, 3),
        ((10, 10, 10), 79, 2),
        ((10, 10, 10), 49, 1),
        ((10, 10, 10), 20, 1),
        ((10, 10, 10), 19, 0),
        ((10, 50, 10), 180, 2),
        ((10, 50, 10), 250, 3),
        ((0.001, 50, 0.001), 120, 2),
    ],
)
def test_the_budget_is_kept_by_what_is_known_of_the_time(
    seconds: tuple[float, float, float], budget: float, seeds: int, clock: SimpleNamespace
) -> None:
    made = laboratory(timed(clock, *seconds), budget=budget).try_one("c", CURE)
    assert len(made.seeds) == seeds
    assert clock.now <= budget
    assert bool(made.note) is (seeds < PAIRS)
    assert made.proven is (seeds == PAIRS)


def test_what_took_long_once_is_not_begun_again(clock: SimpleNamespace) -> None:
    made = laboratory(timed(clock, 1, 500, 1), budget=60).try_one(
        "c", CURE
    )  # that could not be known
    assert made.seeds == [0]
    assert clock.now == 501  # no random change either
    assert made.verdict == "not proven: accuracy 0.1 → 0.9; the time given for trials is over"


def test_later_remedies_need_no_time_for_untouched_trainings(clock: SimpleNamespace) -> None:
    held = laboratory(timed(clock, 10, 10, 10), budget=120)
    assert held.try_one("c", CURE).proven
    assert clock.now == 90
    second = held.try_one("c", {"step": "sgd(lr=0.2)"})  # which does not help
    assert (len(second.seeds), clock.now) == (1, 100)
    third = held.try_one("c", CURE)
    assert (len(third.seeds), clock.now) == (1, 120)
    assert held.try_one("c", CURE).verdict == "not tried, the time given for trials is over"
    assert clock.now == 120


# -- a function of yours ---------------------------------------------------------------------------


def tried(retrain: Callable[..., Any], *findings: Finding, **given: Any) -> list[Trial]:
    return try_function(retrain, list(findings), draw, **given)


def test_a_function_with_and_without_a_seed() -> None:
    seen: list[Any] = []

    def seeded(change: Change, seed: int) -> float:
        seen.append(seed)
        return 0.9 if change == CURE else 0.1

    def any_keyword(change: Change, **given: int) -> float:
        seen.append(given)
        return 0.9 if change == CURE else 0.1

    def plain(change: Change) -> float:
        seen.append(None)
        return 0.9 if change == CURE else 0.1

    wanted: list[tuple[Callable[..., float], list[Any]]] = [
        (seeded, [0, 0, 0, 1, 1, 1, 2, 2, 2]),
        (any_keyword, [{"seed": s} for s in (0, 0, 0, 1, 1, 1, 2, 2, 2)]),
        (plain, [None] * 9),
    ]
    for function, seeds in wanted:
        seen.clear()
        found = finding(CURE)
        [made] = tried(function, found)
        assert seen == seeds
        assert made.proven
        assert found.trials == [made]
        assert made.measure == "your measure"


def test_the_function_may_do_with_the_change_what_it_likes() -> None:
    def retrain(change: Change, seed: int) -> torch.Tensor:
        return torch.tensor(0.9 if change.pop("step", None) == CURE["step"] else 0.1)

    found = finding(CURE)
    assert [made.proven for made in tried(retrain, found)] == [True]
    assert found.remedies[0].change == CURE == {"step": "sgd(lr=0.1)"}


def test_of_a_change_that_cannot_be_made_the_trial_says_so_and_the_others_go_on() -> None:
    def retrain(change: Change, seed: int) -> float:
        if "data" in change:
            raise KeyError("data")
        return 0.9 if change == CURE else 0.1

    found = finding({"data": "standardize()"}, CURE)
    first, second = tried(retrain, found)
    assert first.verdict == "not tried, your function raised KeyError: 'data'"
    assert second.proven
    assert found.trials == [first, second]


def test_what_it_raises_without_any_change_is_yours_to_see() -> None:
    def broken(change: Change) -> float:
        return 1 / 0

    with pytest.raises(ZeroDivisionError):
        tried(broken, finding(CURE))


def test_an_answer_that_is_no_number_is_said() -> None:
    def forgot(change: Change) -> None:
        return None

    [made] = tried(forgot, finding(CURE))
    assert (
        made.verdict
        == "not tried, your function must return a number that is larger the better, not None"
    )


def test_an_interrupt_goes_through_with_what_was_tried_in_its_place() -> None:
    def retrain(change: Change, seed: int) -> float:
        if change == {"step": "sgd(lr=0.2)"}:
            raise KeyboardInterrupt
        return 0.9 if change == CURE else 0.1

    found = finding(CURE, {"step": "sgd(lr=0.2)"})
    with pytest.raises(KeyboardInterrupt):
        tried(retrain, found)
    assert [made.proven for made in found.trials] == [True]


@pytest.mark.parametrize("budget", [0, -1, float("nan"), "60"])
def test_a_budget_is_a_positive_number(budget: Any) -> None:
    with pytest.raises(ArgumentError, match="budget must be"):
        tried(lambda change: 0.5, finding(CURE), budget=budget)


def test_until_proven_ends_with_the_first_finding_that_has_a_proven_remedy() -> None:
    def retrain(change: Change) -> float:
        return {"sgd(lr=5.0)": 0.1, "sgd(lr=0.1)": 0.9, "sgd(lr=0.2)": 0.95}.get(
            change.get("step", ""), 0.1
        )

    found = [
        finding({"step": "sgd(lr=5.0)"}, CURE, {"step": "sgd(lr=0.2)"}),
        finding({"step": "sgd(lr=0.3)"}, condition="underfitting"),
    ]
    made = tried(retrain, *found, until_proven=True)
    assert [trial.change["step"] for trial in made] == ["sgd(lr=5.0)", "sgd(lr=0.1)", "sgd(lr=0.2)"]
    largest = best(made)
    assert largest is made[2]
    assert len(tried(retrain, *found)) == 4
    assert best(made[:1]) is None


# -- which remedies, and where trials are kept -----------------------------------------------------


def test_remarks_and_advice_are_not_tried_and_nothing_twice() -> None:
    found = [
        finding(CURE, {}, {"step": "sgd(lr=0.01)"}),
        finding({"step": "sgd(lr=3.0)"}, condition="dead_units", severity="info"),
        finding(CURE, {"initialize": "zeros()"}, condition="not_finite", severity="warning"),
    ]
    assert [(held.condition, change) for held, change in remedies(found)] == [
        ("learning_rate_too_high", CURE),
        ("learning_rate_too_high", {"step": "sgd(lr=0.01)"}),
        ("not_finite", {"initialize": "zeros()"}),
    ]


def test_a_trial_is_kept_with_every_finding_that_proposes_it() -> None:
    first, second = finding(CURE), finding({"step": "sgd(lr=3.0)"}, CURE, condition="dead_units")
    made = tried(lambda change: 0.9 if change == CURE else 0.1, first, second)
    assert [trial.change for trial in made] == [CURE, {"step": "sgd(lr=3.0)"}]
    assert first.trials == [made[0]]
    assert second.trials == made


def test_a_newer_trial_takes_the_place_of_the_older_unless_it_came_to_nothing(
    clock: SimpleNamespace,
) -> None:
    found = finding(CURE)
    tried(timed(clock, 1, 1, 1), found, budget=4)
    assert [len(trial.seeds) for trial in found.trials] == [1]
    tried(timed(clock, 1, 1, 1), found, budget=60)
    assert [trial.proven for trial in found.trials] == [True]
    tried(timed(clock, 5, 5, 5), found, budget=4)
    assert [trial.proven for trial in found.trials] == [True]


@pytest.mark.draws
def test_a_loop_that_was_watched_is_tried_with_its_own_function() -> None:
    x = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] * x[:, 1] > 0).long()

    def train(change: Change, seed: int, budget: float = 0.0) -> Any:
        torch.manual_seed(seed)
        network = torch.nn.Sequential(
            torch.nn.Linear(2, 32), torch.nn.ReLU(), torch.nn.Linear(32, 2)
        )
        if "initialize" not in change:
            for parameter in network.parameters():
                torch.nn.init.constant_(parameter, 0.1)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
        with ss.watch(network, optimizer, budget=budget) as watch:
            for _ in range(40):
                loss = torch.nn.functional.cross_entropy(network(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y)
        return watch if budget else float((network(x).argmax(1) == y).float().mean())

    diagnosis = train({}, 0, budget=1.0).diagnose(train=(x, y))
    assert [held.condition for held in diagnosis.findings] == ["symmetric_units"]
    [made] = diagnosis.try_remedies(train)
    assert made.proven
    assert "proven: your measure" in str(diagnosis)
    with pytest.raises(ArgumentError, match="was a loop of yours"):
        diagnosis.try_remedies()
