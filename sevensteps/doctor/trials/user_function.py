"""Trials of a training loop of the user's own, which only the user's function can train again."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence

from sevensteps.arguments import number
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.trials.changes import Change
from sevensteps.doctor.trials.scheduler import (
    Clock,
    RandomChange,
    TrialScheduler,
    attach_trial,
    is_settled,
    remedies_to_try,
)
from sevensteps.doctor.trials.trial import Trial
from sevensteps.errors import ArgumentError
from sevensteps.notation import cut


class FunctionBackend:
    """Trains one at a time, by calling `retrain(change)` or `retrain(change, seed=…)`."""

    def __init__(self, retrain: Callable[..., float]) -> None:
        parameters = inspect.signature(retrain).parameters
        self.retrain = retrain
        self.takes_seed = "seed" in parameters or any(
            p.kind is p.VAR_KEYWORD for p in parameters.values()
        )

    def prepare(self, change: Change, seed: int) -> tuple[Change, int]:
        return change, seed

    def size(self, training: tuple[Change, int]) -> float:
        return math.inf  # so that each is a race of its own

    def lockstep_groups(self, trainings: Sequence[tuple[Change, int]]) -> list[list[int]]:
        return [[position] for position in range(len(trainings))]

    def train(self, trainings: Sequence[tuple[Change, int]]) -> list[tuple[float, float]]:
        return [(self._call(change, seed), 1.0) for change, seed in trainings]

    def measure(self, condition: str) -> str:
        return "your measure"

    def value(self, condition: str, result: float) -> float:
        return result

    def _call(self, change: Change, seed: int) -> float:
        seeds = {"seed": seed} if self.takes_seed else {}
        try:
            answer = self.retrain(dict(change), **seeds)
        except Exception as failure:
            if not change:
                raise
            raise ArgumentError(
                f"your function raised {type(failure).__name__}: {failure}"
            ) from failure
        try:
            return float(answer)
        except (TypeError, ValueError):
            raise ArgumentError(
                "your function must return a number that is larger the better, not "
                f"{cut(repr(answer))}"
            ) from None


def try_function(
    retrain: Callable[..., float],
    findings: list[Finding],
    random_change: RandomChange,
    *,
    budget: float = 60.0,
    until_proven: bool = False,
    report: Callable[[str], None] | None = None,
) -> list[Trial]:
    """Try the remedies of `findings` with the user's function `retrain`, one after another.

    Each trial is also added to its finding. Where `retrain` raises something for a change, the
    trial says so; what it raises without any change is raised here too.
    """
    scheduler = TrialScheduler(
        FunctionBackend(retrain),
        0,
        Clock(number("budget", budget, above=0)),
        random_change,
        report=report,
    )
    trials: list[Trial] = []
    for finding, change in remedies_to_try(findings):
        if until_proven and is_settled(trials, finding):
            break
        trials += scheduler.try_all([(finding.condition, change)])
        attach_trial(trials[-1], finding, findings)
    return trials
