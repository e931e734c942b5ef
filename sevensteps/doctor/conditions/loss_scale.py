"""loss_scale: the loss is summed where it is usually averaged.

Every step is then as many times too long as the batch has samples. Measured: the gradient, divided
by that of the recognised loss; it gives the factor, 1 for a mean, B for a sum over the batch.
Source: PyTorch, `reduction`.

Remedies: `reduction="mean"`, as every loss here has it. Silent on: optimizers that divide by the
gradient's own size (Adam), which do not mind; trainings that go well; losses that are scaled
down, as for accumulation; the factor of a `GradScaler`; steps that are too short all the same.
"""

from __future__ import annotations

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.identify_loss import REGRESSION_LOSSES
from sevensteps.doctor.measures import (
    ADAPTIVE,
    learned_enough,
    optimizer_name,
    path_of_steps,
    significant,
)
from sevensteps.observe.look import Look

STEP = "loss"
EXPLAINS = (
    "learning_rate_too_high",
    "exploding_gradient",
    "not_finite",
    "dead_units",
    "saturated_units",
    "output_overconfident",
    "underfitting",
    "batch_too_small",
    "optimizer_setting",
    "learning_rate_too_low",
    "ill_conditioned",
)
FACTOR = 6.0  # times the mean over the samples
SHORT = 0.1  # all steps together, in norms of the weights: they are not too long
# losses with one number for each element of the output
ELEMENTWISE = (*REGRESSION_LOSSES, "binary_cross_entropy", "binary_cross_entropy_with_logits")


def examine(case: Case) -> Finding | None:
    identified = case.identified_loss
    if identified is None or identified.loss.fault or not case.looks or case.recipe is not None:
        return None
    look = next((look for look in case.looks if look.output is not None), None)
    if look is None or look.output is None or look.batch < 2:
        return None
    each = look.output[0].numel() if identified.loss.function in ELEMENTWISE else 1
    factor = abs(identified.scale) * each / _gradient_scale(look)
    if (
        1 / FACTOR / 10 < factor < FACTOR
        or optimizer_name(case) in ADAPTIVE
        or learned_enough(case, 0.8)
        or path_of_steps(case) < SHORT
    ):
        return None
    if factor < 1:
        return None
    summed = abs(factor / (look.batch * each) - 1) < 0.1 or abs(factor / look.batch - 1) < 0.1
    lr = (
        f", so that the learning rate {case.lr:g} works like {case.lr * factor:.3g}"
        if case.lr
        else ""
    )
    return Finding(
        "loss_scale",
        STEP,
        "error" if not case.before_training else "warning",
        0.85,
        f"The loss is {factor:.3g} times the mean over the "
        f"samples{': it is summed over the batch' if summed else ''}. The gradient is as "
        f"many times larger{lr}.",
        [
            Measure(
                "loss and gradient, times those of a mean",
                significant(factor),
                1,
                f"gradient of {identified.name}, batch of {look.batch}",
            )
        ],
        [
            Remedy(
                {"loss": "auto()"},
                "with the mean, the learning rate does not depend on the batch size",
                'reduction="mean"',
            )
        ],
        {},
        0,
    )


def _gradient_scale(look: Look) -> float:
    """What a `GradScaler` multiplies the loss by for the backward pass alone; 1 without one."""
    groups = look.account.groups if look.account is not None else ()
    return next((group.scale for group in groups if group.scale), 1.0)
