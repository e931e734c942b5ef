"""The learning rates that a search tries: rate number n is 10^(n/6), rounded to two digits."""

from __future__ import annotations

import math
from dataclasses import replace

from sevensteps.steps.step import Optimizer, Schedule, adagrad, cosine, sgd

RATE_COUNT = 32  # rates of the first stage
# rates are 1, 1.5, 2.2, 3.2, 4.6, 6.8 and 10 times a power of ten; 32 of them span five decades
PER_DECADE = 6
# rates above 2/λ, the edge of stability at the start: mini-batches and ReLUs let networks train
# at several times that rate
RATES_ABOVE_EDGE = 11


def rate_at(number: int) -> float:
    """The learning rate of a number: 10^(number/6), rounded to two digits.

    >>> [rate_at(number) for number in range(-6, 1)]
    [0.1, 0.15, 0.22, 0.32, 0.46, 0.68, 1.0]
    """
    return float(f"{10 ** (number / PER_DECADE):.2g}")


def lowest_rate_number(step: Optimizer, edge: float | None) -> int:
    """The number of the lowest rate of the first race; `edge` is that of stability, if known."""
    if edge is not None:
        return math.floor(PER_DECADE * math.log10(edge)) + RATES_ABOVE_EDGE + 1 - RATE_COUNT
    return -24 if isinstance(step, sgd | adagrad) else -30


def with_rate(step: Optimizer, lr: float) -> Optimizer:
    """`step` with another learning rate; a schedule stays, scaled to begin there."""
    schedule = step.lr
    if not isinstance(schedule, Schedule):
        return replace(step, lr=lr)  # type: ignore[type-var]
    scaled = {"final": schedule.final * lr / schedule.lr} if isinstance(schedule, cosine) else {}
    return replace(step, lr=replace(schedule, lr=lr, **scaled))  # type: ignore[type-var]
