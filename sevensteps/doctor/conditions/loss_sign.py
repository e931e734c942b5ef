"""loss_sign: the loss falls when the right output falls, so that the network learns to be wrong.

Measured: the gradient. Where a loss measures an error, the gradient at the output of the true class
is never positive, and for a number it points away from the target. Closed form: for cross-entropy p
- one-hot. Of a loss that is no error, as of a policy: the score that the loop reports, or what it
calls a reward, which falls from the start on while the optimizer makes the loss small, and by more
than a random walk with its steps does.

Remedies: turn the sign; a log-likelihood needs a minus. Leave out `maximize=True` in the
optimizer. Silent on: a negative loss that is a density; a negated loss that the optimizer
maximizes; scores that wander. A remark where a policy's loss is one of costs or of rewards, and no
score says which.
"""

from __future__ import annotations

import math
import statistics
from itertools import pairwise

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
FINE, COARSE = 12, 8  # blocks of reported scores, whose means show how they wander
NOISE_ALONE = 2.0  # times the variance that noise gives to these steps, up to which none wanders
WALK_SIGMAS = 3.0  # of a random walk with such steps
AT_ONCE = 0.1  # of the fall, that is there in the second quarter
FIRST_REWARDS, LAST_REWARDS = 5, 3  # looks, whose rewards are compared
REWARD_SIGMAS = 3.0  # of their difference
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
        if not rewarded or case.steps < MIN_SCORES:
            return None
        rewards = [look.reward for look in case.looks if look.reward is not None]
        parts = _fallen_rewards(rewards)
        return _remark(case) if parts is None else _falls(*parts, "reward", 0.85, policy, rewarded)
    with_loss = first_loss(case) > final_loss(case)
    parts = falling_parts(scores, rewarded) if policy or with_loss else None
    if parts is None and not policy and first_loss(case) * FALLEN > final_loss(case) > 0:
        parts = _lost_parts(scores)
    if parts is None:
        return None
    return _falls(*parts, "score", 0.88 if rewarded else 0.75, policy, rewarded)


def _falls(
    before: list[float],
    after: list[float],
    what: str,
    confidence: float,
    policy: list[LossTerm],
    rewarded: bool,
) -> Finding:
    """What is to become large has fallen from `before` to `after`."""
    first, end = statistics.fmean(before), statistics.fmean(after)
    fall, noise = first - end, _noise(before, after)
    return Finding(
        "loss_sign",
        STEP,
        "error",
        confidence,
        f"The {what} falls from {first:.3g} to {end:.3g} while the optimizer makes the loss small: "
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
            Measure(f"{what} at the end", significant(end), f"above {first:.3g}", f"{what}s"),
            Measure(
                f"fall of the {what}, in standard errors",
                significant(fall / max(noise, 1e-12)),
                "below 0",
                "the beginning against the end",
            ),
        ],
        [
            Remedy(
                {},
                f"the optimizer makes the loss small, and the {what} is to become large",
                "change the sign of the loss: -(log_prob * advantage).mean() for a policy; else "
                "check which pairs count as alike",
            )
        ],
        {},
        0,
    )


def falling_parts(
    scores: list[float], suspected: bool = False
) -> tuple[list[float], list[float]] | None:
    """The first and the last quarter, where the score falls from the one to the other far beyond
    its noise, at once, and further than a random walk with its steps leads. Of a loss that is
    `suspected` for another reason one measure of these steps is enough.
    """
    part = len(scores) // 4
    before, after = scores[:part], scores[-part:]
    first = statistics.fmean(before)
    fall = first - statistics.fmean(after)
    if fall < SIGMAS * _noise(before, after) or fall <= 0:
        return None
    if statistics.fmean(scores[part : 2 * part]) > first - AT_ONCE * fall:
        return None  # it was learned, and lost again
    walk = max(_walk(scores, blocks) for blocks in ((FINE,) if suspected else (FINE, COARSE)))
    return None if fall <= WALK_SIGMAS * walk else (before, after)


def _walk(scores: list[float], count: int) -> float:
    """How far a random walk leads over all scores, as a standard deviation: by the steps from one
    of `count` blocks to the next, less what noise from report to report adds to them. Their spread
    is that around the median, so that a fall by steps that are alike, or by a few at the start, is
    no walk.
    """
    size = len(scores) // count
    last = scores[-size * count :]
    blocks = [last[i * size : (i + 1) * size] for i in range(count)]
    means = [statistics.fmean(block) for block in blocks]
    steps = [after - before for before, after in pairwise(means)]
    middle = statistics.median(steps)
    spread = (1.4826 * statistics.median(abs(step - middle) for step in steps)) ** 2
    apart = [b - a for block in blocks for a, b in pairwise(block)]
    noise = statistics.fmean(value * value for value in apart) / size if apart else 0.0
    return math.sqrt((spread - noise) * count) if spread > NOISE_ALONE * noise else 0.0


def _fallen_rewards(rewards: list[float]) -> tuple[list[float], list[float]] | None:
    """The rewards in the first and in the last looks, where all the last are below all the first,
    and by far.
    """
    if len(rewards) < FIRST_REWARDS + LAST_REWARDS + 1:
        return None
    before, after = rewards[:FIRST_REWARDS], rewards[-LAST_REWARDS:]
    fall = statistics.fmean(before) - statistics.fmean(after)
    far = max(after) < min(before) and fall > REWARD_SIGMAS * _noise(before, after)
    return (before, after) if far else None


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
