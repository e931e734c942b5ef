"""stopped_early: the training ended while the network was still learning.

It is still far from what it can reach. Measured: the loss fell steadily to the last step (by 5 % in
the last quarter, and by more than its own noise), most of the way was still to go, and a simple
model does better by a tenth of the score. Where the rate could be ten times as large, that is the
cause instead.

Or it does not fall yet, but the few steps have hardly moved the weights.

Remedies: more steps, until the loss is level. Silent on: a short training that has learned most
of it.
"""

from __future__ import annotations

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import (
    final_loss,
    first_loss,
    is_short,
    learned_enough,
    loss_still_falls,
    significant,
)
from sevensteps.doctor.simple_models import worse_than_simple_model

STEP = "stop"
EXPLAINS = ("underfitting", "too_small")


def examine(case: Case) -> Finding | None:
    if (
        case.before_training
        or case.diverged_at is not None
        or learned_enough(case, 0.6)
        or not ((falls := loss_still_falls(case)) or is_short(case))
        or not worse_than_simple_model(case, 0.1)
    ):
        return None
    score = case.scores.get("train")
    return Finding(
        "stopped_early",
        STEP,
        "warning",
        0.5,
        f"After {case.steps:,} steps the "
        + ("loss was still falling steadily" if falls else "weights were still near their start")
        + f", the loss went from {first_loss(case):.3g} to {final_loss(case):.3g}: the training "
        "was stopped too early.",
        [
            Measure(
                "loss in the last quarter",
                "falling" if falls else "not yet far",
                "level",
                "means over stretches of the training",
            ),
            Measure(
                "score on the training data",
                significant(score) if score is not None else None,
                "at least that of a simple model",
                "",
            ),
        ],
        [
            Remedy(
                {"stop": f"max_steps({10 * case.steps})"},
                "more steps, until the loss is level",
                f"train for some {10 * case.steps:,} steps",
            )
        ],
        {},
        None,
    )
