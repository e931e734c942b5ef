"""gradient_not_cleared: the gradients of earlier steps are added to that of each new step.

They are still in `.grad` when the next backward pass adds its own. Measured: what is in `.grad` at
the moment the backward pass begins, though an optimizer has stepped since; found where that is
above 1 % of the gradient just used, in at least half of the looks at two steps running. Source:
PyTorch, torch.optim, zero_grad.

Remedies: `optimizer.zero_grad()` once for every step. Silent on: clearing before or after the
step, or between forward and backward, which is all the same; accumulating on purpose, which
clears after its step.
"""

from __future__ import annotations

from itertools import pairwise

from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions.exploding_gradient import whole
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import significant

STEP = "gradient"
EXPLAINS = (
    "learning_rate_too_high",
    "exploding_gradient",
    "not_finite",
    "dead_units",
    "saturated_units",
    "underfitting",
    "optimizer_setting",
    "stopped_early",
    "overfitting",
    "batch_too_small",
    "output_overconfident",
    "signal_explodes",
)


def examine(case: Case) -> Finding | None:
    pairs = [
        (a, b)
        for a, b in pairwise(case.looks)
        if a.stepped and b.step == a.step + 1 and b.leftover_gradient is not None
    ]
    uncleared = [
        (a, b)
        for a, b in pairs
        if b.leftover_gradient and b.leftover_gradient > 0.01 * max(whole(a), 1e-30)
    ]
    if not uncleared or len(uncleared) < 0.5 * len(pairs):
        return None
    before, after = uncleared[0]
    return Finding(
        "gradient_not_cleared",
        STEP,
        "error",
        0.96,
        f"When the backward pass of step {after.step} began, the gradient of the step before was "
        f"still there (its norm was {after.leftover_gradient:.3g}), and the new one was added to "
        "it: each step also moves in the direction of all earlier ones, ever faster, and past the "
        "minimum.",
        [
            Measure(
                "gradient left over when the backward pass begins",
                significant(after.leftover_gradient or 0.0),
                0,
                f"step {after.step}",
            ),
            Measure(
                "as a share of the gradient that was just used",
                significant((after.leftover_gradient or 0.0) / max(whole(before), 1e-30)),
                0,
                "",
            ),
        ],
        [
            Remedy(
                {"gradient": "auto()"},
                "each step then follows the gradient of its own batch",
                "call optimizer.zero_grad() once for every step",
            )
        ],
        {},
        before.step + 1,
    )
