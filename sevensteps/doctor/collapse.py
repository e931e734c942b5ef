"""Whether a training that had gone well lost most of it again, at once, and never came back."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sevensteps.doctor.case import Case
from sevensteps.doctor.fed_data import targets_move
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import (
    final_loss,
    first_loss,
    largest_relative_update,
    learned_enough,
    significant,
    step_with_rate,
)

GOOD = 0.3  # of the loss of an answer that ignores the input, that the best stretches are below
LOST = 0.25  # of the way from there to the best loss, that is lost again at the end
WELL = 0.75  # skill that was not lost
STRETCHES = 2  # twentieths of the training, within which half of it is lost
RISEN = 1.5  # times the first rate, of a schedule that has lengthened the steps
SPIKE = 1.5  # times the first loss
STRIDE = 0.005  # |Δw| / |w| of steps that can make the loss jump


@dataclass(frozen=True)
class Collapse:
    """The best loss of two stretches of a training, that at its end, and the step of the jump."""

    best: float
    end: float
    onset: int


def collapse(case: Case) -> Collapse | None:
    """Where the loss jumped up after a good stretch, and the end is far worse than the best."""
    means = case.smoothed_losses
    if case.diverged_at is not None or not case.loss_is_error or len(means) < 10:
        return None
    start = case.baseline_loss if case.baseline_loss is not None else first_loss(case)
    # of two neighbours, so that no lucky stretch counts
    best, at = min((max(means[i][1], means[i + 1][1]), i + 1) for i in range(len(means) - 1))
    end = final_loss(case)
    way = start - best
    if not 0 <= best <= GOOD * start or end - best < LOST * way or learned_enough(case, WELL):
        return None
    later = means[at:]
    jump = next(
        (
            step
            for (step, before), (_, after) in zip(later, later[STRETCHES:], strict=False)
            if after - before > LOST / 2 * way
        ),
        None,
    )
    if jump is None:
        return None
    middle = best + LOST * way
    onset = next((s for s, value in case.losses if s > jump and value > middle), jump)
    return Collapse(best, end, onset)


def collapse_under_long_steps(case: Case) -> Finding | None:
    """`learning_rate_too_high`, where a training collapsed after its schedule had lengthened the
    steps, or in a jump far above its first loss.
    """
    fallen = collapse(case)
    if fallen is None or not case.lr or targets_move(case):
        return None
    before = [look for look in case.looks if look.step <= fallen.onset]
    near = [*before[-1:], *[look for look in case.looks if look.step > fallen.onset][:1]]
    rates = [look.lr[0] for look in near if look.lr]
    risen = bool(rates) and max(rates) > RISEN * case.lr
    peak = max(value for s, value in case.losses if s >= fallen.onset and math.isfinite(value))
    strides = [largest_relative_update(case, look)[0] for look in near]
    if not rates or not any(stride > STRIDE for stride in strides):
        return None
    if not risen and peak < SPIKE * first_loss(case):
        return None
    known = case.recipe is not None
    rate = case.lr if known else rates[0]  # a recipe keeps the form of its schedule
    low, high = significant(min(rates)), significant(max(rates))
    between = f"between {low:g} and {high:g}" if low < high else f"of {low:g}"
    return Finding(
        "learning_rate_too_high",
        "step",
        "error",
        0.8,
        f"The training went well, down to a loss of {fallen.best:.3g}, until its loss jumped up at "
        f"step {fallen.onset:,}, with a learning rate {between}, and it never came back: it ended "
        f"at {fallen.end:.3g}. The steps had become too long.",
        [
            Measure(
                "loss at the end",
                significant(fallen.end),
                f"{fallen.best:.3g}, the best on the way",
                "means over stretches of the training",
            ),
            Measure(
                "learning rate at the jump", high, f"{significant(case.lr):g} in the first step", ""
            ),
        ],
        [
            Remedy(
                {"step": step_with_rate(case, rate / times)},
                "shorter steps stay where it went well",
                f"a learning rate that is {words} as high",
            )
            for times, words in ((10, "a tenth"), (math.sqrt(10), "a third"))
        ],
        {"layers": []},
        fallen.onset,
    )
