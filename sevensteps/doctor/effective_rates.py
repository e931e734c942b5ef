"""The learning rates by which steps were taken, where the optimizer itself lowers them."""

from __future__ import annotations

from bisect import bisect_right

from sevensteps.doctor.case import Case

POINTS = 200  # of the steps


def decays_by_itself(case: Case) -> bool:
    """Whether the optimizer divides its rate by a number that grows with every step."""
    return _divisor(case, max(case.steps, 1)) > 1


def effective_rates(case: Case) -> list[tuple[int, float]]:
    """(step, learning rate): those of the looks, divided as the optimizer divides them."""
    rates = case.observation.rates
    if not rates or not decays_by_itself(case):
        return rates
    steps = {case.steps * point // POINTS for point in range(POINTS)} | {step for step, _ in rates}
    starts = [step for step, _ in rates]
    return [
        (step, rates[max(bisect_right(starts, step) - 1, 0)][1] / _divisor(case, step))
        for step in sorted(steps)
    ]


def _divisor(case: Case, step: int) -> float:
    """1 + lr_decay · step, of Adagrad."""
    group = case.facts.groups[0] if case.facts.groups else {}
    if group.get("optimizer") != "Adagrad":
        return 1.0
    return 1 + float(group.get("lr_decay", 0)) * step
