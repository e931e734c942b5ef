"""Several training steps beside each other: what each did to its loss, and one weight of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sevensteps.errors import ArgumentError
from sevensteps.explain.base import Explanation
from sevensteps.explain.one_step.answer import Steps, steps
from sevensteps.explain.subject import Subject

MAX_STEPS = 20  # the training is repeated for each, and they are to fit a screen


@dataclass(frozen=True)
class StepSeries(Explanation):
    """Several training steps, in the order in which they were taken."""

    steps: tuple[Steps, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"steps": [step.to_dict() for step in self.steps]}


def step_series(subject: Subject, places: Sequence[int]) -> StepSeries:
    """The steps at `places`, counted from 0. Raises `ArgumentError` where the training took no such
    step, and where they are none or too many.
    """
    wanted = sorted(set(places))
    if not 1 <= len(wanted) <= MAX_STEPS:
        raise ArgumentError(
            f"steps are shown beside each other up to {MAX_STEPS}, not {len(wanted)}; to print "
            "each step as it is taken: sevensteps train … --print 100"
        )
    return StepSeries(tuple(steps(subject, place) for place in wanted))
