"""loss_unsuited: the loss measures something else than the task asks for.

Such as a distance between class numbers, or a squared error behind a sigmoid. Measured: the targets
and the loss that was recognised. Class 7 is no nearer to class 8 than to class 1; and the gradient
of a squared error behind a saturated sigmoid is near 0 for the worst answers. Source: Nielsen,
Neural Networks and Deep Learning, ch. 3.

Remedies: `cross_entropy()` with one output for each class; `binary_cross_entropy()` for two
classes. Silent on: counts and other whole numbers of many values; a squared error behind a
sigmoid where the network learns well.
"""

from __future__ import annotations

import torch

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.identify_loss import REGRESSION_LOSSES
from sevensteps.doctor.measures import learned_enough, output_activation

STEP = "loss"
EXPLAINS = (
    "underfitting",
    "stopped_early",
    "saturated_units",
    "vanishing_gradient",
    "learning_rate_too_low",
    "too_small",
)
CLASSES = 20  # more whole numbers than this are taken for counts


def examine(case: Case) -> Finding | None:
    t, identified = case.target, case.identified_loss
    if t is None or identified is None or identified.loss.function not in REGRESSION_LOSSES:
        return None
    numbers = torch.unique(t)
    classes = len(numbers)
    single = t.is_floating_point() and (t.ndim == 1 or (t.ndim == 2 and t.shape[1] == 1))
    whole = 3 <= classes <= CLASSES and bool((numbers == torch.arange(classes).to(numbers)).all())
    if single and whole and len(t) > 5 * classes:
        return Finding(
            "loss_unsuited",
            STEP,
            "warning",
            0.75,
            f"The targets are the whole numbers 0 to {classes - 1}, as class indices are, and "
            f"{identified.name} measures the distance between "
            "them. If they are classes, one is not nearer to its neighbour than to any other, and "
            "one output cannot tell them apart.",
            [
                Measure(
                    "different targets", classes, "a number that varies freely", "targets seen"
                ),
                Measure("outputs per sample", 1, classes, "one per class"),
            ],
            [
                Remedy(
                    {"loss": "cross_entropy()"},
                    "one output per class, and the probability of each",
                    f"{classes} outputs and cross_entropy",
                )
            ],
            {},
            0,
        )
    closing = output_activation(case)
    squashed = identified.loss.link != "identity" or (
        closing is not None and closing.activation in ("sigmoid", "softmax")
    )
    if (
        case.task in ("binary", "multiclass")
        and squashed
        and not case.before_training
        and not learned_enough(case, 0.8)
    ):
        right = "binary_cross_entropy" if case.task == "binary" else "cross_entropy"
        return Finding(
            "loss_unsuited",
            STEP,
            "warning",
            0.65,
            f"A squared error behind a {closing.activation if closing else 'sigmoid'} gives "
            "hardly any gradient where an answer is sure but wrong, so that the worst samples "
            "teach the least.",
            [Measure("loss", identified.name, right, "gradient of one batch")],
            [
                Remedy(
                    {"loss": f"{right}()"},
                    "its gradient is the error itself, p - t",
                    f"use {right} on the raw outputs",
                )
            ],
            {},
            0,
        )
    return None
