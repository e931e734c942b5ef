"""batch_too_small: with one or a few samples per step, the gradient is mostly chance.

At this learning rate, the weights wander. Measured: the losses of single steps in the last half:
how far they swing about their mean; and a simple model does better. Source: Smith et al. 2018,
Don't Decay the Learning Rate, Increase the Batch Size.

Remedies: `batches(32)`, or a tenth of the learning rate. Silent on: small batches with small
steps; networks that learn well; data of a few batches; small batches whose gradients are added up.
"""

from __future__ import annotations

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import (
    learned_enough,
    loss_swing,
    median,
    significant,
    step_with_rate,
)
from sevensteps.doctor.simple_models import worse_than_simple_model

STEP = "repeat"
EXPLAINS = (
    "underfitting",
    "learning_rate_too_high",
    "optimizer_setting",
    "stopped_early",
    "dead_units",
    "too_small",
)
SMALL = 4  # samples a step
SWING = 0.4  # mean distance of single losses from their mean, in means


def examine(case: Case) -> Finding | None:
    sizes = (float(look.batch * max(look.backwards, 1)) for look in case.looks if look.batch)
    size = median(sizes) * _batches_a_step(case)
    if (
        case.before_training
        or not 0 < size <= SMALL
        or case.steps < 50
        or case.diverged_at is not None
    ):
        return None
    if case.train is not None and len(case.train[0]) <= 4 * size:
        return None
    swing = loss_swing(case)
    if swing < SWING or learned_enough(case, 0.9) or not worse_than_simple_model(case, 0.05):
        return None
    batch = 32
    return Finding(
        "batch_too_small",
        STEP,
        "warning",
        0.75,
        f"Each step follows {size:.0f} sample{'s' if size > 1 else ''}. The losses of single "
        f"steps lie {swing:.2g} times their mean away from it, and do not settle: the weights "
        "wander with the last few samples, and a simple model does better on the same data.",
        [
            Measure("samples in a step", int(size), "16 or more", "batches seen"),
            Measure(
                "swing of single losses, in means",
                significant(swing),
                f"below {SWING:g}",
                "second half of the training",
            ),
        ],
        [
            Remedy(
                {"repeat": f"batches({batch})"},
                "the mean of more samples is steadier",
                f"batches of {batch}",
            ),
            Remedy(
                {"step": step_with_rate(case, case.lr / 10)} if case.lr else {},
                "shorter steps average over more samples",
                "a tenth of the learning rate",
            ),
        ],
        {},
        None,
    )


def _batches_a_step(case: Case) -> float:
    """How many reported steps the optimizer takes one for, where gradients are added up."""
    updates = case.observation.notes.get("updates", [])
    taken = max(updates, default=0)
    return case.steps / taken if 0 < taken < case.steps else 1.0
