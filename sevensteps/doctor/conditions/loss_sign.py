"""loss_sign: the loss falls when the right output falls, so that the network learns to be wrong.

Measured: the gradient. Where a loss measures an error, the gradient at the output of the true class
is never positive, and for a number it points away from the target. Closed form: for cross-entropy p
- one-hot. Of a loss that is no error, as of a policy: the score that the loop reports, which falls
from the start on while the optimizer makes the loss small.

Remedies: turn the sign; a log-likelihood needs a minus. Leave out `maximize=True` in the
optimizer. Silent on: a negative loss that is a density; a negated loss that the optimizer
maximizes. A remark where a policy's loss is one of costs or of rewards, and no score says which.
"""

from __future__ import annotations

import math
import statistics

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
MIN_SCORES = 40  # reported by the loop; fewer show no trend
SIGMAS = 5.0  # of the means of its first and last quarter, that a score falls by
WEIGHED = ("Mul", "MaskMul", "SignedMul")


def examine(case: Case) -> Finding | None:
    return _wrong_way(case) or _against_score(case)


def _against_score(case: Case) -> Finding | None:
    """A loss without a level that is good, whose training makes the score worse than chance had
    it.
    """
    if case.before_training or case.several or case.loss_is_error or case.target is not None:
        return None
    policy = [
        term
        for look in case.looks[:8]
        for term in look.loss_terms
        if term.name.endswith(".log_prob")
        and any(op.name in WEIGHED for op in term.weighting)
        and term.factor is not None
    ]
    rewarded = bool(policy) and all(term.factor > 0 for term in policy if term.factor is not None)
    scores = [score for _, score in case.observation.scores if math.isfinite(score)]
    if len(scores) < MIN_SCORES:
        return _remark(case) if rewarded and case.steps >= MIN_SCORES else None
    part = len(scores) // 4
    before, after = scores[:part], scores[-part:]
    noise = math.hypot(*(statistics.stdev(s) / math.sqrt(part) for s in (before, after)))
    fall = statistics.fmean(before) - statistics.fmean(after)
    with_loss = first_loss(case) > final_loss(case)
    if fall < SIGMAS * noise or fall <= 0 or not (policy or with_loss):
        return None
    first, end = statistics.fmean(before), statistics.fmean(after)
    if statistics.fmean(scores[part : 2 * part]) > first:
        return None  # it was learned, and lost again
    return Finding(
        "loss_sign",
        STEP,
        "error",
        0.88 if rewarded else 0.75,
        f"The score falls from {first:.3g} to {end:.3g} while the optimizer makes the loss small: "
        "what is good counts as bad. "
        + (
            "The loss is the log-probability of the actions, times what they were worth, without a "
            "minus, so that the better an action was the rarer it becomes."
            if rewarded
            else "The sign of the loss, or of what it weighs by, is turned round."
            if policy
            else "The sign of the loss, or of its labels, is turned round."
        ),
        [
            Measure("score in the last quarter", significant(end), f"above {first:.3g}", "score="),
            Measure(
                "fall of the score, in standard errors",
                significant(fall / max(noise, 1e-12)),
                "below 0",
                "first quarter against the last",
            ),
        ],
        [
            Remedy(
                {},
                "the optimizer makes the loss small, and the score is to become large",
                "change the sign of the loss: -(log_prob * advantage).mean() for a policy; else "
                "check which pairs count as alike",
            )
        ],
        {},
        0,
    )


def _remark(case: Case) -> Finding:
    return Finding(
        "loss_sign",
        STEP,
        "info",
        0.5,
        "The loss is the log-probability of actions times a weight, without a minus: that makes "
        "actions of a large weight rarer. Right for costs, it is wrong for rewards and advantages; "
        "with watch.step(loss, score=reward) that can be told.",
        [
            Measure(
                "sign of the log-probability in the loss", 1, "-1 for rewards", "PyTorch's graph"
            )
        ],
        [
            Remedy(
                {},
                "the optimizer makes the loss small",
                "-(log_prob * advantage).mean(), if the weights are rewards",
            )
        ],
        {},
        0,
    )


def _wrong_way(case: Case) -> Finding | None:
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
