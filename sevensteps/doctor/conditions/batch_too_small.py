"""batch_too_small: with one or a few samples per step, the gradient is mostly chance.

At this learning rate, the weights wander. Measured: the losses of single steps in the last half:
how far they swing about their mean; and a simple model does better. Or a batch norm takes mean and
spread of so few numbers that it hardly leaves more than their order. Source: Smith et al. 2018,
Don't Decay the Learning Rate, Increase the Batch Size; Wu, He 2018, Group Normalization.

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
    "vanishing_gradient",  # what is ±1 for whatever the two samples are has no slope
)
SMALL = 4  # samples a step
SWING = 0.4  # mean distance of single losses from their mean, in means


def examine(case: Case) -> Finding | None:
    normed = _normed_over_batch(case)  # which gradients that are added up do not help
    sizes = (
        float(look.batch * (1 if normed else max(look.backwards, 1)))
        for look in case.looks
        if look.batch
    )
    size = median(sizes) * (1.0 if normed else _batches_a_step(case))
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
    if not normed and swing < SWING:
        return None
    if learned_enough(case, 0.9) or not worse_than_simple_model(case, 0.05):
        return None
    if normed:
        return _normed(case, int(size))
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


def _normed_over_batch(case: Case) -> bool:
    """Whether the network has a batch norm over nothing but the samples: of inputs [B, F]."""
    shape = case.looks[0].shapes.get("input", ()) if case.looks else ()
    return len(shape) == 2 and any(
        layer.kind in ("BatchNorm1d", "LazyBatchNorm1d") for layer in case.layers("norm")
    )


def _normed(case: Case, size: int) -> Finding:
    return Finding(
        "batch_too_small",
        STEP,
        "warning",
        0.75,
        f"Batch norm takes the mean and the spread of each unit over {size} "
        f"sample{'s' if size > 1 else ''}: what it leaves says how these lie to each other, and "
        "hardly what they are; the running statistics that evaluation uses are others. A simple "
        "model does better on the same data.",
        [Measure("samples in a batch norm", size, "16 or more", "batches seen")],
        [
            Remedy(
                {"repeat": "batches(32)"},
                "mean and spread of more samples hardly change from batch to batch",
                "batches of 32, or nn.LayerNorm or nn.GroupNorm, which take one sample at a time",
            )
        ],
        {
            "layers": [layer.name for layer in case.layers("norm")],
            "apart_from": ["vanishing_gradient"],
        },
        None,
    )


def _batches_a_step(case: Case) -> float:
    """How many reported steps the optimizer takes one for, where gradients are added up."""
    updates = case.observation.notes.get("updates", [])
    taken = max(updates, default=0)
    return case.steps / taken if 0 < taken < case.steps else 1.0
