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
from sevensteps.observe.call import LossTerm

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
LOST_SIGMAS = 2.0  # that its first reports are above the last half, where it never came back
FALLEN = 0.8  # of the first loss, that the last one is below
LIKENESS = ("Mm", "Bmm", "Einsum", "CosineSimilarity")
DISTANCES = ("EuclideanDist", "Cdist", "Norm", "LinalgVectorNorm", "PairwiseDistance")
TURNED = ("Neg", "Rsub", "SignedMul", "SignedDiv", "Reciprocal")
WEIGHED = ("Mul", "MaskMul", "SignedMul")


def examine(case: Case) -> Finding | None:
    return _wrong_way(case) or _unlike_attract(case) or _against_score(case)


def _unlike_attract(case: Case) -> Finding | None:
    """A cross-entropy whose classes are the places in the batch, of likeness with its sign turned,
    or of distances as they are: what belongs together is pushed apart.
    """
    terms = [
        term
        for look in case.looks[:8]
        for term in look.loss_terms
        if term.target == "positions" and term.name in ("cross_entropy", "nll_loss")
    ]
    kinds = {_attraction(term) for term in terms}
    if len(kinds) != 1 or (kind := kinds.pop()) is None or _rises(case):
        return None
    return Finding(
        "loss_sign",
        STEP,
        "error",
        0.9,
        f"The cross-entropy takes {kind} for the logits of which of the batch belongs to which: "
        "the softmax is largest where two codes are least alike, and each step pushes apart what "
        f"belongs together. The loss goes from {first_loss(case):.3g} to {final_loss(case):.3g} "
        "all the same.",
        [Measure("logits of the cross-entropy", kind, "likeness", "PyTorch's graph")],
        [
            Remedy(
                {},
                "the logits have to be large for what belongs together",
                "logits = a @ b.T / temperature, or -distance: no minus before likeness, one "
                "before distances",
            )
        ],
        {},
        0,
    )


def _attraction(term: LossTerm) -> str | None:
    """What logits of likeness or distance are that are large for what is unlike; None where they
    are not, or where that is not known.
    """
    names = [operation.name for operation in term.operations]
    at = next((i for i, name in enumerate(names) if name in (*LIKENESS, *DISTANCES)), None)
    if at is None:
        return None
    after = names[at + 1 :]
    if "Sub" in after or any(name in (*LIKENESS, *DISTANCES) for name in after):
        return None  # of more than likeness alone, as distances are from products
    turned = sum(name in TURNED for name in after) % 2 == 1
    if names[at] in LIKENESS:
        return "likeness with its sign turned" if turned else None
    return None if turned else "distances without a minus"


def _rises(case: Case) -> bool:
    """Whether the reported score is better at the end than at the start."""
    scores = [score for _, score in case.observation.scores if math.isfinite(score)]
    few = max(len(scores) // 10, 1)
    return bool(scores) and statistics.fmean(scores[-few:]) > statistics.fmean(scores[:few])


def _against_score(case: Case) -> Finding | None:
    """A loss without a level that is good, whose training makes the score worse than chance had
    it.
    """
    if case.before_training or case.several or case.loss_is_error:
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
    with_loss = first_loss(case) > final_loss(case)
    parts = _falling_parts(scores) if policy or with_loss else None
    if parts is None and not policy and first_loss(case) * FALLEN > final_loss(case) > 0:
        parts = _lost_parts(scores)
    if parts is None:
        return None
    before, after = parts
    first, end = statistics.fmean(before), statistics.fmean(after)
    fall, noise = first - end, _noise(before, after)
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
            Measure("score at the end", significant(end), f"above {first:.3g}", "score="),
            Measure(
                "fall of the score, in standard errors",
                significant(fall / max(noise, 1e-12)),
                "below 0",
                "the beginning against the end",
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


def _falling_parts(scores: list[float]) -> tuple[list[float], list[float]] | None:
    """The first and the last quarter, where the score falls from the one to the other far beyond
    its noise.
    """
    part = len(scores) // 4
    before, after = scores[:part], scores[-part:]
    fall = statistics.fmean(before) - statistics.fmean(after)
    if fall < SIGMAS * _noise(before, after) or fall <= 0:
        return None
    if statistics.fmean(scores[part : 2 * part]) > statistics.fmean(before):
        return None  # it was learned, and lost again
    return before, after


def _lost_parts(scores: list[float]) -> tuple[list[float], list[float]] | None:
    """The first reports and the last half, where the score was lost within the first reports and
    never came back to where it began.
    """
    few = max(len(scores) // 20, 5)
    before, after = scores[:few], scores[len(scores) // 2 :]
    fall = statistics.fmean(before) - statistics.fmean(after)
    stuck = min(after) == max(after) == min(scores) and len(set(scores)) > 1
    if fall <= 0 or not (stuck or fall > LOST_SIGMAS * _noise(before, after)):
        return None
    tenth = max(len(scores) // 10, 5)
    tenths = [scores[i : i + tenth] for i in range(few, len(scores) - tenth + 1, tenth)]
    return (
        (before, after)
        if all(statistics.fmean(part) < statistics.fmean(before) for part in tenths)
        else None
    )


def _noise(*parts: list[float]) -> float:
    """The standard error of the difference of their means."""
    return math.hypot(*(statistics.stdev(part) / math.sqrt(len(part)) for part in parts))


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
