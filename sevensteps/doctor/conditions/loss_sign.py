"""loss_sign: the loss falls when the right output falls, so that the network learns to be wrong.

Measured: the gradient. Where a loss measures an error, the gradient at the output of the true class
is never positive, and for a number it points away from the target. Closed form: for cross-entropy p
- one-hot.

Remedies: turn the sign; a log-likelihood needs a minus. Leave out `maximize=True` in the
optimizer. Silent on: a negative loss that is a density; a negated loss that the optimizer
maximizes.
"""

from __future__ import annotations

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import final_loss, first_loss, significant, step_with_rate

STEP = "loss"
EXPLAINS = (
    "exploding_gradient",
    "not_finite",
    "learning_rate_too_high",
    "underfitting",
    "train_valid_mismatch",
    "labels_unrelated",
    "dead_units",
    "saturated_units",
    "stopped_early",
    "output_loss_mismatch",
    "overfitting",
    "optimizer_setting",
    "class_imbalance",
    "loss_scale",
    "signal_explodes",
    "too_small",
)
MOST = 0.9  # share of the samples


def examine(case: Case) -> Finding | None:
    wrong = _wrong(case)
    maximized = any(group.get("maximize") for group in case.facts.groups)
    if wrong is None and not maximized:
        return None
    if (wrong is not None and wrong > MOST) == maximized:
        return None
    share = 1.0 if wrong is None else wrong
    what = (
        "The optimizer maximizes a loss that measures an error"
        if maximized
        else f"For {share:.0%} of the samples the loss falls when the right output falls"
    )
    return Finding(
        "loss_sign",
        STEP,
        "error",
        0.95,
        f"{what}: each step makes the network more wrong. The loss goes from "
        f"{first_loss(case):.3g} to {final_loss(case):.3g}.",
        [
            Measure(
                "samples whose gradient points the wrong way",
                significant(share),
                0,
                "dL/d(output) at the true class, or (output - target)·gradient",
            )
        ],
        [
            Remedy(
                {"step": step_with_rate(case, case.lr)} if case.lr else {},
                "an error is to become small",
                "leave out maximize=True",
            )
            if maximized
            else Remedy(
                {"loss": "auto()"},
                "a loss that is small for right answers",
                "change the sign of the loss: a log-likelihood needs a minus",
            )
        ],
        {},
        0,
    )


def _wrong(case: Case) -> float | None:
    """The share of samples whose gradient points away from the right answer; None where it cannot
    be told.
    """
    for look in case.looks[:3]:
        output, target, gradient = look.output, look.target, look.output_gradient
        if (
            output is None
            or target is None
            or gradient is None
            or len(target) != len(output)
            or not bool(gradient.isfinite().all())
        ):
            continue
        if (
            not target.is_floating_point()
            and target.ndim == 1
            and output.ndim == 2
            and output.shape[1] > 1
            and int(target.min()) >= 0
            and int(target.max()) < output.shape[1]
        ):
            at = gradient.gather(1, target.long()[:, None])[:, 0]
            return float((at > 0).double().mean()) if bool(at.any()) else None
        if (
            target.shape == output.shape
            and target.is_floating_point()
            and case.identified_loss is not None
        ):
            return 1.0 if case.identified_loss.scale < 0 else 0.0
    return None
