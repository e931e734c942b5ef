"""exploding_gradient: the gradient grows by orders of magnitude and throws the weights off.

It grows from layer to layer, or from step to step. Measured: the length of the whole gradient over
the looks, where the loss ends no lower than it began; and the relative gradient of the first layer
against the last. Source: Pascanu, Mikolov, Bengio 2013, On the difficulty of training recurrent
neural networks.

Remedies: `auto(clip=1.0)` as the gradient; in PyTorch, `torch.nn.utils.clip_grad_norm_`. Silent
on: gradients that grow while the loss falls; networks that learn.
"""

from __future__ import annotations

import math

from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions.vanishing_gradient import LAYERS, ratios
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import (
    final_loss,
    first_loss,
    layer_label,
    learned_enough,
    median,
    significant,
    total_norm,
)
from sevensteps.observe.look import Look

STEP = "gradient"
EXPLAINS = ("not_finite", "dead_units", "saturated_units", "stopped_early", "underfitting")
GROWN = 100.0  # times the gradient of the first looks
DEEP = 1000.0  # first layer against last


def whole(look: Look) -> float:
    """The length of the whole gradient at one look; nan where it is not known."""
    parts = [
        total_norm(change.gradient)
        for change in look.changes.values()
        if change.gradient is not None
    ]
    return math.sqrt(sum(p * p for p in parts)) if parts else math.nan


def examine(case: Case) -> Finding | None:
    if not case.looks or learned_enough(case, 0.5):
        return None
    sizes = ratios(case)
    if len(sizes) >= LAYERS and sizes[-1][1] > 0 and sizes[0][1] / sizes[-1][1] > DEEP:
        grown = sizes[0][1] / sizes[-1][1]
        return _finding(
            f"On its way back through {len(sizes) - 1} layers the gradient grows "
            f"{grown:.2g}-fold: relative to its weights, {layer_label(sizes[0][0])} gets that "
            f"many times the gradient of {layer_label(sizes[-1][0])}.",
            [
                Measure(
                    "|gradient| / |weights|, first layer against last",
                    significant(grown),
                    "about 1",
                    "",
                )
            ],
            0,
        )
    lengths = [(look.step, whole(look)) for look in case.looks]
    start = median(value for _, value in lengths[:3])
    peak_step, peak = max(
        ((s, v) for s, v in lengths if not math.isnan(v)),
        key=lambda item: item[1],
        default=(0, math.nan),
    )
    worse = case.diverged_at is not None or not final_loss(case) < first_loss(case)
    if not (start > 0 and peak > GROWN * start and worse and peak_step > 0):
        return None
    return _finding(
        f"The gradient grew from {start:.2g} in the first steps to {peak:.2g} at step "
        f"{peak_step}, and the loss with it: each "
        "step makes the next one longer.",
        [
            Measure(
                "norm of the gradient, peak against start",
                significant(peak / start),
                f"below {GROWN:g}",
                "looks",
            )
        ],
        next(step for step, value in lengths if value > GROWN / 10 * start),
    )


def _finding(explanation: str, evidence: list[Measure], onset: int) -> Finding:
    return Finding(
        "exploding_gradient",
        STEP,
        "error",
        0.75,
        explanation,
        evidence,
        [
            Remedy(
                {"gradient": "auto(clip=1.0)"},
                "a gradient with a norm of at most 1 cannot throw the weights off",
                "torch.nn.utils.clip_grad_norm_(parameters, 1.0) before each step",
            )
        ],
        {},
        onset,
    )
