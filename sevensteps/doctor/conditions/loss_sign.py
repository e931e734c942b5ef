"""loss_sign: the loss falls when the right output falls, so that the network learns to be wrong.

Measured: the gradient. Where a loss measures an error, the gradient at the output of the true class
is never positive, and for a number it points away from the target. Closed form: for cross-entropy p
- one-hot. Of a loss of any other make, as of overlap: whether in every look it pulls down what is
to be yes and up what is to be no, and the answers come to nothing. Of a loss that is no error, as
of a policy: whether it weighs log-probabilities by what the loop calls rewards, or by minus those;
the score that the loop reports, or what it calls a reward, which falls from the start on while the
optimizer makes the loss small, and by more than a random walk with its steps does. Of
codes of pairs: how far the inputs lie apart of those that the loss draws together, against those
that it pushes apart, as a whole and by column. Of a judge and what it judges: the signs of both
gradients at its answers for what the other makes. Of a code that is drawn: the sign with which μ²,
σ² and log σ² enter the loss. Source: Goodfellow et al. 2014, Generative
adversarial nets.

Remedies: turn the sign; a log-likelihood needs a minus. Leave out `maximize=True` in the optimizer.
Silent on: outputs of which the least is the answer; a negative loss that is a density; a negated
loss that the optimizer maximizes; numbers that run against their targets under a loss that stays
positive, as the second of a ranked pair; scores that wander. A remark where a policy's loss is one
of costs or of rewards, and no score says which.
"""

from __future__ import annotations

import math
import statistics

import torch

from sevensteps.doctor.agreement import (
    agreement,
    correlation_led,
    led_from_targets,
    share_led_away,
)
from sevensteps.doctor.case import Case
from sevensteps.doctor.failures import runs_away
from sevensteps.doctor.falling_scores import (
    fallen_rewards,
    falling_parts,
    lost_parts,
    noise_of_difference,
    score_rises,
)
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.likelihood_signs import likelihood_sign
from sevensteps.doctor.loss_purpose import DATA, ERROR_LOSSES, OTHER_LOSSES
from sevensteps.doctor.measures import (
    final_loss,
    first_loss,
    largest_early_update,
    significant,
    step_with_rate,
)
from sevensteps.doctor.pair_signs import pair_sign
from sevensteps.observe.call import LossTerm
from sevensteps.observe.look import Look

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
    "symmetric_units",
    "representation_collapsed",
)
MOST = 0.9  # share of the samples
LED, MIN_LOOKS = 0.8, 4  # share of the answers that are led away; looks in which they are
OPPOSITE = -0.2  # correlation of outputs and targets at the end
RIGHT = 0.5  # standard deviations that right answers end above the others, where they agree
LEAST_SIGNS = 4  # looks in which weights were compared with rewards
MIN_SCORES = 40  # reported by the loop; fewer show no trend
LEARNED = 0.5  # of the first loss, that the error of turned outputs ends below
DRIVEN, FURTHER_OFF = 0.98, 2.0  # share of the numbers, in all looks, and growth of their distance
FALLEN = 0.8  # of the first loss, that the last one is below
ROUND = -0.6  # mean cosine of answers and targets at the end, and by how much it fell
THROWN = 0.5  # |Δw| / |w| of a whole matrix in one of the first steps
OF_SCORES = ("cross_entropy", "binary_cross_entropy_with_logits")
WEIGHED = ("Mul", "MaskMul", "SignedMul")


def examine(case: Case) -> Finding | None:
    turned = _least_is_answer(case)
    return (
        likelihood_sign(case)
        or (None if turned else _wrong_way(case) or _led_away(case) or _driven_away(case))
        or _turned_round(case)
        or _unbounded(case)
        or pair_sign(case)
        or _against_score(case)
    )


def _unbounded(case: Case) -> Finding | None:
    """A loss that falls below every bound, the faster the longer: an error has none, but one with a
    minus has.
    """
    if _is_maximized(case) or (sign := runs_away(case)) is None:
        return None
    return Finding(
        "loss_sign",
        STEP,
        "error",
        0.6,
        f"{sign.sentence} What measures an error is never below 0, and a likelihood seldom falls "
        "so: most likely something that should be small is subtracted.",
        [sign.measure],
        [
            Remedy(
                {},
                "what can be made as small as one likes is no error",
                "print each term of the loss; change the sign of the one that runs away",
            )
        ],
        {},
        0,
    )


def _driven_away(case: Case) -> Finding | None:
    """A loss of any make that drives numbers away from their targets, nearly all of them in every
    look, so that they end much further off than they began.
    """
    if case.before_training or case.several or case.bootstrapped or score_rises(case):
        return None
    if case.identified_loss is not None or any(g.get("maximize") for g in case.facts.groups):
        return None
    looks = [blocks for look in case.looks if (blocks := led_from_targets(look))]
    if len(looks) < MIN_LOOKS:
        return None
    for block, (_, distance) in looks[0].items():
        shares = [blocks[block][0] for blocks in looks if block in blocks]
        ends = [blocks[block][1] for blocks in looks[-3:] if block in blocks]
        if len(shares) < len(looks) or min(shares) < DRIVEN:
            continue
        if statistics.fmean(ends) > FURTHER_OFF * distance:
            return _away_finding(case, min(shares), distance, statistics.fmean(ends))
    return None


def _turned_round(case: Case) -> Finding | None:
    """Answers that come to point away from their targets: a likeness that is made small."""
    directions = [d for look in case.looks if (d := _direction(look)) is not None]
    if case.before_training or case.bootstrapped or len(directions) < MIN_LOOKS:
        return None
    start, end = directions[0], statistics.fmean(directions[-2:])
    if end > ROUND or start - end < -ROUND or score_rises(case):
        return None
    return Finding(
        "loss_sign",
        STEP,
        "error",
        0.93,
        f"The answers point away from their targets at the end: the cosine between them went from "
        f"{start:.2g} to {end:.2g}. What is made small is how alike they are.",
        [
            Measure(
                "mean cosine of answers and targets at the end",
                significant(end),
                "above 0",
                "batches of the last looks",
            )
        ],
        [
            Remedy(
                {},
                "the optimizer makes the loss small: a likeness has to become large",
                "1 - F.cosine_similarity(output, target).mean()",
            )
        ],
        {},
        0,
    )


def _direction(look: Look) -> float | None:
    """The mean cosine of answers and targets of several numbers each; None for any others."""
    o, t = look.output, look.target
    if o is None or t is None or o.shape != t.shape or o.ndim < 2 or o[0].numel() < 2:
        return None
    if not (o.is_floating_point() and t.is_floating_point()) or bool((t >= 0).all()):
        return None  # as of probabilities, which no logits point to
    a, b = o.double().flatten(1), t.double().flatten(1)
    cosines = torch.nn.functional.cosine_similarity(a, b)
    return float(cosines.mean()) if bool(cosines.isfinite().all()) else None


def _away_finding(case: Case, share: float, distance: float, end: float) -> Finding:
    return Finding(
        "loss_sign",
        STEP,
        "error",
        0.93,
        f"In every look a step down the gradient moves at least {share:.0%} of the numbers away "
        f"from their targets, and they are {end:.3g} off at the end, where it was {distance:.3g} "
        "at the start: what is made small is a likelihood, or an error with a minus. "
        f"The loss goes from {first_loss(case):.3g} to {final_loss(case):.3g}.",
        [
            Measure(
                "numbers that the gradient moves away from their targets, the least share in a "
                "look",
                significant(share),
                "below a half",
                "signs of (output - target)·dL/d(output)",
            ),
            Measure(
                "distance from the targets at the end",
                significant(end),
                f"below {significant(distance):g}",
                "outputs and targets of the batches",
            ),
        ],
        [
            Remedy(
                {},
                "the optimizer makes the loss small: a likelihood has to become large",
                "change the sign of the loss: a log-likelihood needs a minus",
            )
        ],
        {},
        0,
    )


def _led_away(case: Case) -> Finding | None:
    """A loss of any make that pulls down the answers that are right and up those that are not, look
    after look, so that they come to nothing.
    """
    if case.before_training or case.several or case.bootstrapped or score_rises(case):
        return None
    if case.identified_loss is not None or any(g.get("maximize") for g in case.facts.groups):
        return None
    shares = [s for look in case.looks if (s := share_led_away(look)) is not None]
    apart = [a for look in case.looks if (a := agreement(look)) is not None]
    if numbers := [c for look in case.looks if (c := correlation_led(look)) is not None]:
        # a likeness ends below zero where its answers are opposite; a ranking's or a hazard's
        # error, whose answers may run against the targets by right, does not
        return _opposed(numbers) if final_loss(case) < 0 else None
    if len(shares) < MIN_LOOKS or min(shares) < LED or not apart:
        return None
    if (end := statistics.fmean(apart[-3:])) > RIGHT:
        return None
    return Finding(
        "loss_sign",
        STEP,
        "error",
        0.92,
        f"In all {len(shares)} looks a step down the gradient lowers the outputs where the target "
        "is yes and raises them where it is no: what is made small is how well the answers agree "
        f"with the targets. The loss goes from {first_loss(case):.3g} to {final_loss(case):.3g}.",
        [
            Measure(
                "answers that the gradient leads away from their targets, the least share in a "
                "look",
                significant(min(shares)),
                "below a half",
                "signs of dL/d(output)",
            ),
            Measure(
                "outputs of right answers above the others, in standard deviations",
                significant(end),
                "above 0",
                "the last looks",
            ),
        ],
        [
            Remedy(
                {},
                "the optimizer makes the loss small: an overlap, a likeness or an accuracy has to "
                "become large",
                "change the sign, or descend 1 - overlap: loss = 1 - dice",
            )
        ],
        {},
        0,
    )


def _opposed(numbers: list[tuple[float, float]]) -> Finding | None:
    """A loss of numbers that lowers their correlation with the targets, until it is negative."""
    lowered, end = min(share for share, _ in numbers), statistics.fmean(c for _, c in numbers[-3:])
    if len(numbers) < MIN_LOOKS or lowered < LED or end > OPPOSITE:
        return None
    return Finding(
        "loss_sign",
        STEP,
        "error",
        0.9,
        f"In all {len(numbers)} looks a step down the gradient makes the outputs agree less with "
        f"the targets, and at the end their correlation is {end:.2g}: a likeness is made small.",
        [
            Measure(
                "correlation of outputs and targets in the last looks",
                significant(end),
                "above 0",
                "outputs and targets of the batches",
            )
        ],
        [
            Remedy(
                {},
                "the optimizer makes the loss small: a likeness has to become large",
                "change the sign, or descend 1 - correlation",
            )
        ],
        {},
        0,
    )


def _against_score(case: Case) -> Finding | None:
    """A loss without a level that is good, whose training makes the score worse than chance had
    it.
    """
    if case.before_training or case.several or case.loss_is_error:
        return None
    if (finding := _weighed_by_rewards(case)) is not None:
        return finding
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
    if not rewarded and largest_early_update(case)[1] > THROWN:
        return None  # steps that throw the weights far off make any score worse
    if len(scores) < MIN_SCORES:
        if not rewarded or case.steps < MIN_SCORES:
            return None
        rewards = [look.reward for look in case.looks if look.reward is not None]
        parts = fallen_rewards(rewards)
        return _remark(case) if parts is None else _falls(*parts, "reward", 0.85, policy, rewarded)
    with_loss = first_loss(case) > final_loss(case)
    parts = falling_parts(scores, rewarded) if policy or with_loss else None
    if parts is None and not policy and first_loss(case) * FALLEN > final_loss(case) > 0:
        parts = lost_parts(scores)
    if parts is None:
        return None
    return _falls(*parts, "score", 0.88 if rewarded else 0.75, policy, rewarded)


def _weighed_by_rewards(case: Case) -> Finding | None:
    """Each log-probability is weighed by the reward itself, without a minus, and minimized."""
    signs = case.observation.notes.get("reward_signs", [])
    maximized = _is_maximized(case)
    if len(signs) < LEAST_SIGNS or min(signs) < 0 or maximized:
        return None
    return Finding(
        "loss_sign",
        STEP,
        "error",
        0.88,
        "The loss is the log-probability of each action times what the loop calls its reward or "
        "return, without a minus, and the optimizer makes it small: the better an action was, the "
        "rarer it becomes.",
        [
            Measure(
                "weight of a log-probability, divided by the reward of its action",
                "above 0",
                "below 0",
                f"{len(signs)} looks",
            )
        ],
        [
            Remedy(
                {},
                "the optimizer makes the loss small, and the reward is to become large",
                "change the sign of the loss: -(log_prob * reward), or maximize=True in the "
                "optimizer",
            )
        ],
        {},
        0,
    )


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
    fall, noise = first - end, noise_of_difference(before, after)
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


def _remark(case: Case) -> Finding:
    return Finding(
        "loss_sign",
        STEP,
        "info",
        0.5,
        "The loss is the log-probability of actions times a weight, without a minus: that makes "
        "actions of a large weight rarer. Right for costs, it is wrong for rewards and advantages; "
        "with watch.step(loss, score=reward) the doctor can tell which.",
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


def _is_maximized(case: Case) -> bool:
    """Whether all that learns makes the loss large; a multiplier that climbs by an optimizer of its
    own is no network.
    """
    groups = case.facts.groups
    return bool(groups) and all(group.get("maximize") for group in groups)


def _least_is_answer(case: Case) -> bool:
    """Whether outputs are turned before the function of the error, which becomes small: the least
    of them is the answer, as of times or of distances.
    """
    paths = [
        (term.name, [operation.name for operation in term.operations])
        for look in case.looks[:8]
        for term in look.loss_terms
        if term.name in ERROR_LOSSES and term.target in DATA
    ]
    turned = bool(paths) and all(sum(map(path.count, ("Neg", "Rsub"))) % 2 for _, path in paths)
    if not turned or _is_maximized(case):
        return False
    negated = any((term.factor or 0.0) < 0 for look in case.looks[:8] for term in look.loss_terms)
    if all(name in OF_SCORES for name, _ in paths) and not negated:
        return True  # a softmax of the outputs with a minus learns as one of the outputs
    return 0 <= final_loss(case) < LEARNED * first_loss(case)


def _wrong_way(case: Case) -> Finding | None:
    wrong = _wrong(case)
    maximized = _is_maximized(case)
    if wrong is None and (not maximized or "reward_signs" in case.observation.notes):
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
            # not only pushed down, as by a penalty of all or where another class is the target, but
            # more than any other
            at = gradient.gather(1, target.long()[:, None])[:, 0]
            wrong = (at > 0) & (at >= gradient.amax(1))
            return float(wrong.double().mean()) if bool(at.any()) else None
        if (share := _wrong_of_two(case, look)) is not None:
            return share
        if (
            target.shape == output.shape
            and target.is_floating_point()
            and case.identified_loss is not None
        ):
            return 1.0 if case.identified_loss.scale < 0 else 0.0
    return 1.0 if _is_negated(case) else None


def _wrong_of_two(case: Case, look: Look) -> float | None:
    """Of a yes or no by one number each, and an unknown loss that ends below 0: the share of
    samples whose gradient leads the number away, both of the one answer and of the other.
    """
    output, target, gradient = look.output, look.target, look.output_gradient
    if output is None or target is None or gradient is None:
        return None
    if case.identified_loss is not None or target.numel() != output.numel():
        return None
    if not final_loss(case) < 0:
        return None  # an error that becomes small, of outputs of which the least is a yes
    yes = target.reshape(-1).double()
    pulled = gradient.reshape(-1).double() * (2 * yes - 1)
    if not bool(((yes == 0) | (yes == 1)).all()) or not bool(pulled.any()):
        return None
    kinds = [pulled[yes == kind] for kind in (0, 1)]
    if min(map(len, kinds)) == 0:
        return None
    return min(float((kind > 0).double().mean()) for kind in kinds)


def _is_negated(case: Case) -> bool:
    """Whether the loss is no more than functions of errors with a minus, of whatever part of the
    outputs: in networks that play against each other one may be meant to err.
    """
    terms = [look.loss_terms for look in case.looks[:3] if look.loss_terms]
    return (
        bool(terms)
        and not case.several
        and all(
            term.factor is not None
            and term.factor < 0
            and (
                term.name in OTHER_LOSSES
                or (term.name in ERROR_LOSSES and term.target in (*DATA, "network", "output"))
            )
            for of_look in terms
            for term in of_look
        )
    )
