"""Remedies tried side by side, in rounds: trainings that do not depend on each other's outcome are
one race.

The first round is the seed that showed the fault, untouched and with each remedy; the second the
other seeds, and all changes at random, for the remedies that helped; one more for each further seed
that is needed to tell. What each training comes to, and what follows from it, is the same as in
`Laboratory`, which trains one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from sevensteps.doctor.trials.changes import Change
from sevensteps.doctor.trials.laboratory import OVER, Clock, Draw
from sevensteps.doctor.trials.trial import MOST, PAIRS, Trial, spelled
from sevensteps.errors import Error
from sevensteps.seeds import generator

# numbers that the networks of one race hold at most, 400 MB: 600 of 784-30-10 and Adam; one alone
# may hold more
HELD = 1e8


class Together(Protocol):
    """What trains several at once."""

    def ready(self, change: Change, seed: int) -> Any:
        """A training made ready for `race`, once. Raises a `sevensteps.Error` for a change that
        does not fit.
        """

    def size(self, ready: Any) -> float:
        """How many numbers it holds in memory while it is trained."""

    def lanes(self, ready: Sequence[Any]) -> list[list[int]]:
        """Which of these would be trained together."""

    def race(self, ready: Sequence[Any]) -> list[tuple[Any, float]]:
        """Train all to the end: what each came to, and its seconds."""

    def measure(self, condition: str) -> str:
        """What a remedy of `condition` is measured by."""

    def value(self, condition: str, result: Any) -> float:
        """What a training came to, by that measure; larger is better."""


@dataclass(eq=False)
class Job:
    """One training to do. `remedy` is the remedy it is, or is compared with; "" for the untouched."""

    change: Change
    seed: int
    remedy: str = ""
    control: bool = False
    ready: Any = None
    result: Any = None
    failure: Exception | None = None

    @property
    def open(self) -> bool:
        """Whether it has not been trained."""
        return self.result is None and self.failure is None


@dataclass(eq=False)
class Attempt:
    """A trial under way, and its trainings by seed."""

    trial: Trial
    draw: torch.Generator
    remedied: dict[int, Job] = field(default_factory=dict)
    random: dict[int, Job | None] = field(default_factory=dict)


class Rounds:
    """Tries remedies of one recipe, `train`. Untouched trainings are kept, so that every remedy is compared with the same ones.

    `each` is how long one training takes, as far as is known. `report(text)` is told before each
    race."""

    def __init__(
        self,
        train: Together,
        seed: int,
        clock: Clock,
        each: float,
        at_random: Draw,
        *,
        least: float = 0.0,
        problem: str = "whole",
        report: Callable[[str], None] | None = None,
    ) -> None:
        self.train, self.seed, self.clock, self.each, self.least = train, seed, clock, each, least
        self.at_random, self.problem, self.report = (
            at_random,
            problem,
            report or (lambda text: None),
        )
        self.untouched: dict[int, Job] = {}
        self.took: dict[
            tuple[str, bool], float
        ] = {}  # (remedy, whether alone) -> seconds of a training, at most

    def try_all(
        self,
        asked: Sequence[tuple[str, Change]],
        keep: Callable[[Trial], None] = lambda trial: None,
    ) -> list[Trial]:
        """Try remedies, each given with the condition that it is for: as many side by side as there
        is time for.

        `keep` is told of each trial that has ended, also where an interrupt ends the rest.
        """
        trials: list[Trial] = []
        while len(trials) < len(asked):
            some = [
                Attempt(
                    Trial(
                        condition,
                        change,
                        self.train.measure(condition),
                        self.least,
                        problem=self.problem,
                    ),
                    generator(self.seed, "race"),
                )
                for condition, change in asked[len(trials) :][: self._room()]
            ]
            try:
                self._try(some)
            finally:
                for attempt in some:
                    if not attempt.trial.open:
                        keep(attempt.trial)
            trials += [attempt.trial for attempt in some]
        return trials

    def _room(self) -> int:
        """For how many remedies there is time to try them to the end; one at least."""
        each = self.took.get(("", False), self.each)
        left = (self.clock.budget - self.clock.elapsed) / max(each, 1e-9) - sum(
            job.open for job in map(self._plain, self._seeds(PAIRS))
        )
        return int(max(1, min(left // (2 * PAIRS), 1e6)))

    def _seeds(self, count: int) -> range:
        return range(self.seed, self.seed + count)

    def _try(self, attempts: list[Attempt]) -> None:
        first, *others = self._seeds(PAIRS)
        for seeds in ([first], others, *([seed] for seed in self._seeds(MOST)[PAIRS:])):
            left = [attempt for attempt in attempts if attempt.trial.open]
            controlled = [first, *others] if seeds == others else []
            self._train(
                [job for attempt in left for job in self._jobs(attempt, seeds, controlled)],
                self._said(left, seeds),
            )
            for attempt in left:
                self._note(attempt, seeds, controlled)

    def _jobs(
        self, attempt: Attempt, seeds: Sequence[int], controlled: Sequence[int]
    ) -> Iterable[Job]:
        """The trainings of a round, in the order in which one after another would do them."""
        change = attempt.trial.change
        remedy = spelled(change)
        for seed in self._seeds(MOST):
            if seed in seeds:
                attempt.remedied[seed] = Job(change, seed, remedy)
                yield self._plain(seed)
                yield attempt.remedied[seed]
            if seed in controlled:
                drawn = self.at_random(change, attempt.draw)
                attempt.random[seed] = job = (
                    None if drawn is None else Job(drawn, seed, remedy, control=True)
                )
                if job is not None:
                    yield job

    def _plain(self, seed: int) -> Job:
        return self.untouched.setdefault(seed, Job({}, seed))

    def _note(self, attempt: Attempt, seeds: Sequence[int], controlled: Sequence[int]) -> None:
        """Enter what came of a round."""
        trial = attempt.trial
        for seed in self._seeds(MOST):
            if seed in seeds:
                before, after = self._plain(seed), attempt.remedied[seed]
                if before.open or after.open or (failure := before.failure or after.failure):
                    trial.note = OVER if before.open or after.open else str(failure)
                    return
                trial.seeds.append(seed)
                trial.untouched.append(self.train.value(trial.condition, before.result))
                trial.remedied.append(self.train.value(trial.condition, after.result))
            if (
                seed in controlled
                and (job := attempt.random[seed]) is not None
                and job.result is not None
            ):
                trial.random.append(self.train.value(trial.condition, job.result))
                trial.random_changes.append(job.change)

    def _said(self, attempts: Sequence[Attempt], seeds: Sequence[int]) -> str:
        if len(attempts) == 1:
            [trial] = [attempt.trial for attempt in attempts]
            what = f"{trial.condition}, {spelled(trial.change)}"
        else:
            what = f"{', '.join(dict.fromkeys(attempt.trial.condition for attempt in attempts))}, {len(attempts)} remedies"
        first, last = seeds[0] - self.seed + 1, seeds[-1] - self.seed + 1
        which = f"seed {first}" if first == last else f"seeds {first} to {last}"
        return f"{what}: {which} of {PAIRS if last <= PAIRS else MOST}"

    # -- which of them are one race ----------------------------------------------------------------

    def _train(self, jobs: Iterable[Job], said: str) -> None:
        """Train what has not been, in as few races as memory and time allow; what there is no time
        for stays open.
        """
        left = [job for job in dict.fromkeys(jobs) if job.open]
        while left:
            racing = self._next(left)
            if not racing:
                return
            self.report(f"{said}, {len(racing)} {'training' if len(racing) == 1 else 'trainings'}")
            self._race(racing, said)
            left = [job for job in left if job.open and job not in racing]

    def _next(self, left: Sequence[Job]) -> list[Job]:
        """The first of these, as many as may be held at once and fit into the time."""
        racing, held = list[Job](), 0.0
        for job in left:
            try:
                job.ready = self.train.ready(job.change, job.seed)
            except Exception as failure:
                _failed(job, failure)
                continue
            held += self.train.size(job.ready)
            if racing and held > HELD:
                job.ready = None
                break
            racing.append(job)
        cut = False
        while racing and (
            not self.clock.allows(self._expected(racing)) or (cut and not racing[-1].remedy)
        ):
            racing.pop().ready = None  # nor an untouched training whose remedied one does not fit
            cut = True
        return racing

    def _expected(self, jobs: Sequence[Job]) -> float:
        """Seconds that a race is likely to take, going by what its trainings took alone and
        together.
        """

        def known(remedy: str, alone: bool) -> float:
            if (remedy, alone) in self.took:
                return self.took[remedy, alone]
            return max(self.took.get((remedy, not alone), 0.0), 0.0 if remedy else self.each)

        lanes = self.train.lanes([job.ready for job in jobs])
        return sum(
            max(known("", len(lane) == 1), known(jobs[index].remedy, len(lane) == 1))
            for lane in lanes
            for index in lane
        )

    def _race(self, jobs: list[Job], said: str) -> None:
        """Train these in one race; where it fails, each by itself, to tell which it was."""
        ready, began = [job.ready for job in jobs], self.clock.elapsed
        for job in jobs:
            job.ready = None  # it can be trained once
        alone = {lane[0] for lane in self.train.lanes(ready) if len(lane) == 1}
        try:
            results = self.train.race(ready)
        except Exception as failure:
            if len(jobs) == 1:
                _failed(jobs[0], failure)
                return
            del ready
            for job in jobs:
                self._train([job], said)
            return
        took, whole = self.clock.elapsed - began, sum(seconds for _, seconds in results)
        for index, (job, (result, seconds)) in enumerate(zip(jobs, results, strict=True)):
            job.result = result
            if not job.control:
                kind = job.remedy, index in alone
                self.took[kind] = max(
                    self.took.get(kind, 0.0), took * (seconds / whole if whole else 1 / len(jobs))
                )
        self.each = self.took.get(("", True), self.each)


def _failed(job: Job, failure: Exception) -> None:
    """Keep why a training failed. What is no `sevensteps.Error` goes through, but for a change at
    random, which then says nothing.
    """
    if not isinstance(failure, Error) and not job.control:
        raise failure
    job.failure = failure
