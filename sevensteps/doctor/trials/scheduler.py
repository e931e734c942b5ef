"""Remedies tried side by side: trainings that do not depend on each other's outcome are one race.

In the first round every remedy is trained on the seed that showed the fault, and so is the
untouched recipe. The second round has the other seeds, and all changes at random, for the remedies
that helped. One more round follows for each further seed that it takes to decide. A backend that
trains one at a time comes to the same trials as one that trains many at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from sevensteps.doctor.finding import Finding
from sevensteps.doctor.trials.changes import Change
from sevensteps.doctor.trials.trial import MOST, PAIRS, Trial, best_trial, change_notation
from sevensteps.errors import Error
from sevensteps.seeds import generator

# a change at random that is no larger than the one it is compared with; None where there is none
RandomChange = Callable[[Change, torch.Generator], Change | None]
TIME_IS_OVER = "the time given for trials is over"
# numbers that the networks of one race take in memory at most, 400 MB: 600 of 784-30-10 and Adam;
# a single one may take more
MAX_NUMBERS = 1e8


class Clock:
    """A budget of seconds, which runs from the moment that the clock is made."""

    def __init__(self, budget: float) -> None:
        self.budget, self.began = budget, time.perf_counter()

    @property
    def elapsed(self) -> float:
        """Seconds since the clock was made."""
        return time.perf_counter() - self.began

    def allows(self, seconds: float) -> bool:
        """Whether that many more seconds fit into the budget."""
        return self.elapsed + seconds <= self.budget


class TrainingBackend(Protocol):
    """Trains with a change of the seven steps and a seed: one training at a time, or many."""

    def prepare(self, change: Change, seed: int) -> Any:
        """A training to hand to `train`, once. Raises a `sevensteps.Error` for a change that does
        not fit.
        """

    def size(self, training: Any) -> float:
        """How many numbers a prepared training takes in memory while it runs."""

    def lockstep_groups(self, trainings: Sequence[Any]) -> list[list[int]]:
        """Which of these `train` would train in lockstep, by their positions."""

    def train(self, trainings: Sequence[Any]) -> list[tuple[Any, float]]:
        """Train all to the end; returns the result of each, and its seconds."""

    def measure(self, condition: str) -> str:
        """What a remedy of `condition` is measured by, in words."""

    def value(self, condition: str, result: Any) -> float:
        """The value of a result by that measure; larger is better."""


@dataclass(eq=False)
class Job:
    """One training to do. `remedy` is the remedy it tries or is compared with; "" if untouched."""

    change: Change
    seed: int
    remedy: str = ""
    control: bool = False  # a change at random
    training: Any = None
    result: Any = None
    failure: Exception | None = None

    @property
    def open(self) -> bool:
        """Whether it has not been trained."""
        return self.result is None and self.failure is None

    @property
    def kind(self) -> str:
        """What is trained, in words."""
        if not self.remedy:
            return "untouched"
        return "changed at random" if self.control else "remedied"

    def fail(self, failure: Exception) -> None:
        """Record why the training failed.

        What is no `sevensteps.Error` is raised again, except for a change at random, which then
        says nothing.
        """
        if not isinstance(failure, Error) and not self.control:
            raise failure
        self.failure = failure


@dataclass(eq=False)
class Attempt:
    """A trial under way, and its trainings by seed."""

    trial: Trial
    draw: torch.Generator
    remedied: dict[int, Job] = field(default_factory=dict)
    random: dict[int, Job | None] = field(default_factory=dict)


class TrialScheduler:
    """Tries remedies with one backend, within the budget of `clock`.

    Untouched trainings are done once, so that every remedy is compared with the same ones.
    `seconds_each` is how long one training takes, as far as is known; `problem` says what is
    trained on; `report(text)` is called before each race.
    """

    def __init__(
        self,
        backend: TrainingBackend,
        seed: int,
        clock: Clock,
        random_change: RandomChange,
        *,
        seconds_each: float = 0.0,
        least: float = 0.0,
        problem: str = "whole",
        report: Callable[[str], None] | None = None,
        kind: type[Trial] = Trial,
    ) -> None:
        self.kind = kind
        self.backend, self.seed, self.clock, self.least = backend, seed, clock, least
        self.random_change, self.seconds_each, self.problem = random_change, seconds_each, problem
        self.report = report or (lambda text: None)
        self.untouched: dict[int, Job] = {}
        # (remedy, whether trained alone) -> the most seconds that such a training took
        self.durations: dict[tuple[str, bool], float] = {}

    def try_all(
        self,
        remedies: Sequence[tuple[str, Change]],
        on_trial: Callable[[Trial], None] = lambda trial: None,
    ) -> list[Trial]:
        """Try remedies, each a pair (condition, change): as many side by side as there is time for.

        `on_trial` is called with each trial that has ended, also where an interrupt ends the rest.
        """
        trials: list[Trial] = []
        while len(trials) < len(remedies):
            attempts = [
                self._attempt(condition, change)
                for condition, change in remedies[len(trials) :][: self._affordable()]
            ]
            try:
                self._try(attempts)
            finally:
                for attempt in attempts:
                    if not attempt.trial.open:
                        on_trial(attempt.trial)
            trials += [attempt.trial for attempt in attempts]
        return trials

    def _attempt(self, condition: str, change: Change) -> Attempt:
        measure = self.backend.measure(condition)
        trial = self.kind(condition, change, measure, self.least, problem=self.problem)
        return Attempt(trial, generator(self.seed, "race"))

    def _affordable(self) -> int:
        """How many remedies there is time to try to the end; at least one."""
        seconds = self.durations.get(("", False), self.seconds_each)
        trainings = (self.clock.budget - self.clock.elapsed) / max(seconds, 1e-9)
        trainings -= sum(job.open for job in map(self._untouched, self._seeds(PAIRS)))
        return int(max(1, min(trainings // (2 * PAIRS), 1e6)))

    def _seeds(self, count: int) -> range:
        return range(self.seed, self.seed + count)

    def _try(self, attempts: list[Attempt]) -> None:
        first, *others = self._seeds(PAIRS)
        for seeds in ([first], others, *([seed] for seed in self._seeds(MOST)[PAIRS:])):
            left = [attempt for attempt in attempts if attempt.trial.open]
            controlled = [first, *others] if seeds == others else []
            jobs = [job for attempt in left for job in self._jobs(attempt, seeds, controlled)]
            self._train(jobs, self._describer(left, seeds))
            for attempt in left:
                self._enter(attempt, seeds, controlled)

    def _jobs(
        self, attempt: Attempt, seeds: Sequence[int], controlled: Sequence[int]
    ) -> Iterator[Job]:
        """The trainings of a round, in the order in which they are done one at a time."""
        change = attempt.trial.change
        remedy = change_notation(change)
        for seed in self._seeds(MOST):
            if seed in seeds:
                attempt.remedied[seed] = Job(change, seed, remedy)
                yield self._untouched(seed)
                yield attempt.remedied[seed]
            if seed in controlled:
                drawn = self.random_change(change, attempt.draw)
                attempt.random[seed] = job = (
                    None if drawn is None else Job(drawn, seed, remedy, control=True)
                )
                if job is not None:
                    yield job

    def _untouched(self, seed: int) -> Job:
        return self.untouched.setdefault(seed, Job({}, seed))

    def _enter(self, attempt: Attempt, seeds: Sequence[int], controlled: Sequence[int]) -> None:
        """Enter the results of a round into the trial."""
        trial, value = attempt.trial, self.backend.value
        for seed in self._seeds(MOST):
            if seed in seeds:
                before, after = self._untouched(seed), attempt.remedied[seed]
                if before.open or after.open or (failure := before.failure or after.failure):
                    trial.note = TIME_IS_OVER if before.open or after.open else str(failure)
                    return
                trial.seeds.append(seed)
                trial.untouched.append(value(trial.condition, before.result))
                trial.remedied.append(value(trial.condition, after.result))
            job = attempt.random[seed] if seed in controlled else None
            if job is not None and job.result is not None:
                trial.random.append(value(trial.condition, job.result))
                trial.random_changes.append(job.change)

    def _describer(
        self, attempts: Sequence[Attempt], seeds: Sequence[int]
    ) -> Callable[[Sequence[Job]], str]:
        """What to report of a race of a round: its remedies, its seeds, and what is trained."""
        trials = [attempt.trial for attempt in attempts]
        subject = ", ".join(dict.fromkeys(trial.condition for trial in trials))
        subject += (
            f", {change_notation(trials[0].change)}"
            if len(trials) == 1
            else f", {len(trials)} remedies"
        )

        def describe(jobs: Sequence[Job]) -> str:
            race = [jobs[0].seed] if len(jobs) == 1 else seeds
            first, last = race[0] - self.seed + 1, race[-1] - self.seed + 1
            where = f"seed {first}" if first == last else f"seeds {first} to {last}"
            what = jobs[0].kind if len(jobs) == 1 else f"{len(jobs)} trainings"
            return f"{subject}: {where} of {PAIRS if last <= PAIRS else MOST}, {what}"

        return describe

    # -- which of them are one race ----------------------------------------------------------------

    def _train(self, jobs: Iterable[Job], describe: Callable[[Sequence[Job]], str]) -> None:
        """Train those not trained yet, in as few races as memory and time allow.

        What there is no time for stays open.
        """
        left = [job for job in dict.fromkeys(jobs) if job.open]
        while left:
            race = self._next_race(left)
            if not race:
                return
            self.report(describe(race))
            self._race(race, describe)
            left = [job for job in left if job.open and job not in race]

    def _next_race(self, left: Sequence[Job]) -> list[Job]:
        """The first of these jobs, prepared: as many as fit into memory and time."""
        race, numbers = list[Job](), 0.0
        for job in left:
            try:
                job.training = self.backend.prepare(job.change, job.seed)
            except Exception as failure:
                job.fail(failure)
                continue
            numbers += self.backend.size(job.training)
            if race and numbers > MAX_NUMBERS:
                job.training = None
                break
            race.append(job)
        while race and not self.clock.allows(self._expected(race) + self._partner(race[-1], left)):
            race.pop().training = None
        return race

    def _partner(self, last: Job, left: Sequence[Job]) -> float:
        """Expected seconds of what must follow the last job of a race.

        An untouched training is of no use where there is no time for the remedied one.
        """
        if last.remedy:
            return 0.0
        following = next((job for job in left[left.index(last) + 1 :] if job.open), None)
        return 0.0 if following is None else self._seconds(following, alone=True)

    def _seconds(self, job: Job, alone: bool) -> float:
        """Expected seconds of one training, by what the like took, alone or in lockstep."""

        def longest(remedy: str) -> float:
            if (remedy, alone) in self.durations:
                return self.durations[remedy, alone]
            unknown = 0.0 if remedy else self.seconds_each
            return max(self.durations.get((remedy, not alone), 0.0), unknown)

        return max(longest(""), longest(job.remedy))

    def _expected(self, jobs: Sequence[Job]) -> float:
        """Expected seconds of a race."""
        groups = self.backend.lockstep_groups([job.training for job in jobs])
        return sum(
            self._seconds(jobs[position], alone=len(group) == 1)
            for group in groups
            for position in group
        )

    def _race(self, jobs: list[Job], describe: Callable[[Sequence[Job]], str]) -> None:
        """Train these in one race; where it fails, each by itself, to tell which of them failed."""
        trainings, began = [job.training for job in jobs], self.clock.elapsed
        for job in jobs:
            job.training = None  # it can be trained once
        alone = {group[0] for group in self.backend.lockstep_groups(trainings) if len(group) == 1}
        try:
            results = self.backend.train(trainings)
        except Exception as failure:
            if len(jobs) == 1:
                jobs[0].fail(failure)
                return
            del trainings
            for job in jobs:
                self._train([job], describe)
            return
        duration, total = self.clock.elapsed - began, sum(seconds for _, seconds in results)
        for position, (job, (result, seconds)) in enumerate(zip(jobs, results, strict=True)):
            job.result = result
            if not job.control:
                share = seconds / total if total else 1 / len(jobs)
                key = job.remedy, position in alone
                self.durations[key] = max(self.durations.get(key, 0.0), duration * share)
        self.seconds_each = self.durations.get(("", True), self.seconds_each)


# -- findings and their trials ---------------------------------------------------------------------


def remedies_to_try(findings: list[Finding], most: int = 3) -> Iterator[tuple[Finding, Change]]:
    """The remedies that are changes, most likely first, at most `most` of a finding, none twice.

    Findings of severity info have none to try.
    """
    changes: list[Change] = []
    for finding in findings:
        if finding.severity == "info":
            continue
        for change in [remedy.change for remedy in finding.remedies if remedy.change][:most]:
            if change not in changes:
                changes.append(change)
                yield finding, change


def attach_trial(trial: Trial, finding: Finding, findings: list[Finding]) -> None:
    """Add `trial` to `finding`, for which it was made, and to all of `findings` with that remedy.

    It takes the place of an earlier trial of the same change, unless it was not even begun.
    """
    for other in findings:
        if other is finding or any(remedy.change == trial.change for remedy in other.remedies):
            others = [earlier for earlier in other.trials if earlier.change != trial.change]
            if trial.remedied or len(others) == len(other.trials):
                other.trials = [*others, trial]


def is_settled(trials: list[Trial], finding: Finding) -> bool:
    """Whether a remedy of a finding before `finding` is proven, and all of that one are tried."""
    return best_trial(trials) is not None and trials[-1].condition != finding.condition
