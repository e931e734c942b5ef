"""Trials with a function of the user's own: how it is called, what it raises, when it ends."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import sevensteps as ss
from sevensteps.doctor.finding import Finding, Remedy
from sevensteps.doctor.trials.changes import Change, random_change
from sevensteps.doctor.trials.trial import Trial, best_trial
from sevensteps.doctor.trials.user_function import try_function
from sevensteps.errors import ArgumentError
from sevensteps.steps import parse

CURE: Change = {"step": "sgd(lr=0.1)"}
PRESENT = {"step": parse("step", "sgd(lr=10.0)")}
Measure = Callable[[Change, int], float]


def draw(change: Change, generator: torch.Generator) -> Change | None:
    return random_change(PRESENT, change, generator)


def finding(*changes: Change, condition: str = "learning_rate_too_high") -> Finding:
    return Finding(
        condition,
        "step",
        "error",
        0.9,
        "The steps are too long.",
        [],
        [Remedy(change, "shorter") for change in changes],
    )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time that trials see: `clock.now`, which only a test moves on."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(
        "sevensteps.doctor.trials.scheduler.time", SimpleNamespace(perf_counter=lambda: clock.now)
    )
    return clock


def timed(clock: SimpleNamespace, untouched: float, remedied: float, randomly: float) -> Measure:
    def train(change: Change, seed: int) -> float:
        clock.now += untouched if not change else remedied if change == CURE else randomly
        return 0.9 + 0.001 * seed if change == CURE else 0.1

    return train


# -- how the function is called --------------------------------------------------------------------


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
    largest = best_trial(made)
    assert largest is made[2]
    assert len(tried(retrain, *found)) == 4
    assert best_trial(made[:1]) is None


# -- where trials are kept -------------------------------------------------------------------------


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
