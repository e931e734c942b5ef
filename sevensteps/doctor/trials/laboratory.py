"""Trials: a remedy is proven by training again, untouched, remedied and changed at random, on the
same seed and on new ones.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator

import torch

from sevensteps.arguments import number
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.trials.changes import Change
from sevensteps.doctor.trials.trial import MOST, PAIRS, Trial, best, spelled
from sevensteps.errors import ArgumentError, Error
from sevensteps.notation import cut
from sevensteps.seeds import generator

Measure = Callable[[Change, int], float]  # (change, seed) -> a number that is larger the better
Draw = Callable[
    [Change, torch.Generator], Change | None
]  # a change at random that is no larger than the one given
OVER = "the time given for trials is over"


class Clock:
    """A budget of seconds, and how long a training takes."""

    def __init__(self, budget: float, each: float = 0.0) -> None:
        self.budget, self.each, self.began = budget, each, time.perf_counter()

    @property
    def elapsed(self) -> float:
        """Seconds since the first trial began."""
        return time.perf_counter() - self.began

    def allows(self, seconds: float) -> bool:
        """Whether that much more fits into the budget."""
        return self.elapsed + seconds <= self.budget


class Laboratory:
    """Trains again to try remedies, one training after another. `train(change, seed)` tells how well it went, larger is better.

    What untouched trainings came to is kept, so that every remedy is compared with the same ones.
    `report(text)` is told before each."""

    def __init__(
        self,
        train: Measure,
        measure: str,
        seed: int,
        clock: Clock,
        at_random: Draw,
        *,
        least: float = 0.0,
        report: Callable[[str], None] | None = None,
    ) -> None:
        self.train, self.measure, self.seed, self.clock, self.least = (
            train,
            measure,
            seed,
            clock,
            least,
        )
        self.at_random, self.report = at_random, report or (lambda text: None)
        self.untouched: dict[int, float] = {}

    def plain(self, seed: int) -> float:
        """How well the untouched training does with this seed."""
        if seed not in self.untouched:
            began = time.perf_counter()
            self.untouched[seed] = self.train({}, seed)
            took = time.perf_counter() - began
            self.clock.each = took if len(self.untouched) == 1 else max(self.clock.each, took)
        return self.untouched[seed]

    def try_one(self, condition: str, change: Change) -> Trial:
        """One remedy, on as many seeds as it takes to tell, and as there is time for."""
        trial = Trial(condition, change, self.measure, self.least)
        draw, longest = generator(self.seed, "race"), 0.0
        what = f"{condition}, {spelled(change)}"
        for count, seed in enumerate(range(self.seed, self.seed + MOST), 1):
            if not trial.open:
                break
            if not self.clock.allows(
                (seed not in self.untouched) * self.clock.each + max(longest, self.clock.each)
            ):
                trial.note = OVER
                break
            where = f"{what}: seed {count} of {PAIRS if count <= PAIRS else MOST}"
            try:
                self.report(f"{where}, untouched")
                before = self.plain(seed)
                if not self.clock.allows(
                    self.clock.each
                ):  # only now is it known how long a training takes
                    trial.note = OVER
                    break
                self.report(f"{where}, remedied")
                began = time.perf_counter()
                after = self.train(change, seed)
                longest = max(longest, time.perf_counter() - began)
            except Error as failure:
                trial.note = str(failure)
                break
            trial.seeds.append(seed)
            trial.untouched.append(before)
            trial.remedied.append(after)
            if count == 1 and not trial.open:
                break
            if count <= PAIRS and self.clock.allows(max(longest, self.clock.each)):
                self.report(f"{where}, changed at random")
                self._random(trial, change, seed, draw)
        return trial

    def _random(self, trial: Trial, change: Change, seed: int, draw: torch.Generator) -> None:
        other = self.at_random(change, draw)
        if other is None:
            return
        try:
            found = self.train(other, seed)
        except (
            Exception
        ):  # a change that does not fit, or that a function of yours cannot make, says nothing
            return
        trial.random.append(found)
        trial.random_changes.append(other)


def try_function(
    retrain: Callable[..., float],
    findings: list[Finding],
    at_random: Draw,
    *,
    budget: float = 60.0,
    until_proven: bool = False,
    report: Callable[[str], None] | None = None,
) -> list[Trial]:
    """Try the remedies of `findings` with `retrain(change)` or `retrain(change, seed=…)`; each
    trial is also added to its finding.

    Of a change with which `retrain` raises something, the trial says so; what it raises without any
    change goes through."""
    laboratory = Laboratory(
        _measure(retrain),
        "your measure",
        0,
        Clock(number("budget", budget, above=0)),
        at_random,
        report=report,
    )
    trials: list[Trial] = []
    for finding, change in remedies(findings):
        if until_proven and enough(trials, finding):
            break
        trial = laboratory.try_one(finding.condition, change)
        keep(trial, finding, findings)
        trials.append(trial)
    return trials


def _measure(retrain: Callable[..., float]) -> Measure:
    takes = inspect.signature(retrain).parameters
    seeded = "seed" in takes or any(p.kind is p.VAR_KEYWORD for p in takes.values())

    def measure(change: Change, seed: int) -> float:
        try:
            found = retrain(dict(change), seed=seed) if seeded else retrain(dict(change))
        except Exception as failure:
            if not change:
                raise
            raise ArgumentError(
                f"your function raised {type(failure).__name__}: {failure}"
            ) from failure
        try:
            return float(found)
        except (TypeError, ValueError):
            raise ArgumentError(
                "your function must return a number that is larger the better, not "
                f"{cut(repr(found))}"
            ) from None

    return measure


def enough(trials: list[Trial], finding: Finding) -> bool:
    """Whether a remedy of an earlier finding is proven, and all of that one's have been tried."""
    return best(trials) is not None and trials[-1].condition != finding.condition


def enter(trial: Trial, finding: Finding) -> None:
    """Add a trial to its finding. It takes the place of an earlier one of the same change, unless
    nothing came of it.
    """
    if trial.remedied or all(held.change != trial.change for held in finding.trials):
        finding.trials = [*(held for held in finding.trials if held.change != trial.change), trial]


def keep(trial: Trial, finding: Finding, findings: list[Finding]) -> None:
    """Add `trial` to `finding`, for which it was made, and to all others that have the same
    remedy.
    """
    for other in findings:
        if other is finding or any(remedy.change == trial.change for remedy in other.remedies):
            enter(trial, other)


def remedies(findings: list[Finding], most: int = 3) -> Iterator[tuple[Finding, Change]]:
    """What can be tried, most likely first: the remedies that are changes, of findings that are
    more than remarks.
    """
    seen: list[Change] = []
    for finding in findings:
        if finding.severity == "info":
            continue
        for change in [remedy.change for remedy in finding.remedies if remedy.change][:most]:
            if change not in seen:
                seen.append(change)
                yield finding, change
