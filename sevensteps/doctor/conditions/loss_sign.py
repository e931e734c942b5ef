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

from sevensteps.doctor.agreement import agreement, correlation_led, share_led_away
from sevensteps.doctor.case import Case
from sevensteps.doctor.divergence_terms import divergence_terms
from sevensteps.doctor.falling_scores import (
    fallen_rewards,
    falling_parts,
    lost_parts,
    noise_of_difference,
)
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.loss_purpose import DATA, ERROR_LOSSES
from sevensteps.doctor.lowered_likelihood import lowered_likelihood
from sevensteps.doctor.measures import final_loss, first_loss, significant, step_with_rate
from sevensteps.observe.call import LossTerm
from sevensteps.observe.compared_passes import PairDistances

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
FALLEN = 0.8  # of the first loss, that the last one is below
JUDGED = 5  # looks, at a judge and what it judges
MIN_PAIRS = 40  # drawn together, and as many pushed apart
PAIR_SIGMAS, FURTHER = 6.0, 1.1  # of the mean distances of their inputs, and their ratio
COLUMN_SIGMAS, AGAINST_SIGMAS = 8.0, 4.0  # of the same in one column, and in any other
FELT = 0.6  # of the pairs, that the loss moves
LIKENESS = ("Mm", "Bmm", "Einsum", "CosineSimilarity")
DISTANCES = ("EuclideanDist", "Cdist", "Norm", "LinalgVectorNorm", "PairwiseDistance")
TURNED = ("Neg", "Rsub", "SignedMul", "SignedDiv", "Reciprocal")
WEIGHED = ("Mul", "MaskMul", "SignedMul")


def examine(case: Case) -> Finding | None:
    turned = _least_is_answer(case)
    return (
        _away_from_the_prior(case)
        or _likelihood_lowered(case)
        or (None if turned else _wrong_way(case) or _led_away(case))
        or _unlike_attract(case)
        or _pulls_alike(case)
        or _draws_strangers(case)
        or _draws_unlike(case)
        or _against_score(case)
    )


def _away_from_the_prior(case: Case) -> Finding | None:
    """The divergence of a code from the normal distribution, which the optimizer makes large."""
    if case.before_training or any(group.get("maximize") for group in case.facts.groups):
        return None
    terms = [divergence_terms(look) for look in case.looks[:8] if look.loss_terms]
    away = [one for one in terms if one is not None and one.factor < 0]
    if not away or len(away) < len(terms):
        return None
    mean, log_variance, factor = away[0].mean, away[0].log_variance, away[0].factor
    return Finding(
        "loss_sign",
        STEP,
        "error",
        0.93,
        f"The divergence of the codes from the normal distribution (mean in output {mean}, "
        f"logarithm of the variance in output {log_variance}) enters the loss with the wrong sign: "
        "the optimizer makes it large, so that the codes are driven away without end. The loss "
        f"goes from {first_loss(case):.3g} to {final_loss(case):.3g}.",
        [
            Measure(
                "factor of the squared mean in the loss",
                significant(factor),
                "above 0",
                "PyTorch's graph of the loss",
            )
        ],
        [
            Remedy(
                {},
                "a divergence is to become small, as an error is",
                "error - 0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()",
            )
        ],
        {"outputs": [mean, log_variance]},
        0,
    )


def _likelihood_lowered(case: Case) -> Finding | None:
    """A likelihood of one among many that is made small, look after look, and becomes so."""
    if case.before_training or case.several or _rises(case):
        return None
    if any(group.get("maximize") for group in case.facts.groups):
        return None
    factors = [lowered_likelihood(look) for look in case.looks[:8] if look.loss_terms]
    wrong = [factor for factor in factors if factor is not None and factor > 0]
    if not wrong or len(wrong) < len(factors) or final_loss(case) > first_loss(case):
        return None
    return Finding(
        "loss_sign",
        STEP,
        "error",
        0.9,
        "A log-likelihood is made small: the loss is a score less the logarithm of the sum of the "
        "exponentials of all, without a minus, so that what was observed becomes the least likely. "
        f"The loss goes from {first_loss(case):.3g} to {final_loss(case):.3g}.",
        [
            Measure(
                "factor of the score in the loss",
                significant(wrong[0]),
                "below 0",
                "PyTorch's graph of the loss",
            )
        ],
        [Remedy({}, "a likelihood is to become large", "-(score - score.logsumexp(0))")],
        {},
        0,
    )


def _led_away(case: Case) -> Finding | None:
    """A loss of any make that pulls down the answers that are right and up those that are not, look
    after look, so that they come to nothing.
    """
    if case.before_training or case.several or case.bootstrapped or _rises(case):
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


def _pulls_alike(case: Case) -> Finding | None:
    """A judge, and a network that is trained through it to be judged as its own step judges what
    that network makes.
    """
    alike = [look.pulls_alike for look in case.looks if look.pulls_alike is not None]
    if not case.several or len(alike) < JUDGED or alike.count(True) < MOST * len(alike):
        return None
    return Finding(
        "loss_sign",
        STEP,
        "error",
        0.9,
        "What is made for this network to judge comes with two gradients: that of its own step, "
        "which tells it from the data, and that which goes on into the network that made it. In "
        f"{alike.count(True)} of {len(alike)} looks both pull the answers the same way: the one "
        "that is to deceive is trained to be recognised.",
        [
            Measure(
                "looks in which both pull the same way",
                alike.count(True),
                0,
                "signs of dL/d(answer) for what is made",
            )
        ],
        [
            Remedy(
                {},
                "each is to make worse what the other makes better",
                "turn the sign of the generator's loss, or give it the labels of the real ones: "
                "bce(D(fake), ones), -D(fake).mean()",
            )
        ],
        {},
        0,
    )


def _draws_strangers(case: Case) -> Finding | None:
    """A loss of pairs that draws together what lies further apart in the inputs than what it pushes
    apart, while no score rises.
    """
    if case.before_training or case.several or case.loss_is_error or _rises(case):
        return None
    pairs = [look.pairs for look in case.looks if look.pairs is not None]
    drawn, pushed = (_all([getattr(one, side) for one in pairs]) for side in ("drawn", "pushed"))
    if drawn is None or pushed is None or not drawn[1] > FURTHER * pushed[1] > 0:
        return None
    noise = math.hypot(drawn[2], pushed[2])
    if drawn[1] - pushed[1] < PAIR_SIGMAS * noise:
        return None
    columns = _columns(pairs)
    if columns and min(columns)[0] < -AGAINST_SIGMAS:
        return None  # hard pairs: near in what tells them apart, and far in the rest
    scored = bool(case.observation.scores)
    return Finding(
        "loss_sign",
        STEP,
        "error" if scored else "warning",
        0.85 if scored else 0.7,
        f"The loss draws together the codes of inputs that lie {drawn[1]:.3g} apart in the mean, "
        f"and pushes apart those of inputs that lie {pushed[1]:.3g} apart"
        + (", and the score does not rise" if scored else "")
        + ": near and far are exchanged, in the sign of the loss, its labels or its arguments.",
        [
            Measure(
                "distance of the inputs that are drawn together",
                significant(drawn[1]),
                f"below {significant(pushed[1]):g}",
                f"{drawn[0]} pairs that are drawn together, {pushed[0]} that are pushed apart",
            )
        ],
        [
            Remedy(
                {},
                "what belongs together is to come near",
                "check what a label of 1 means to the loss, and which argument is the positive",
            )
        ],
        {},
        0,
    )


def _draws_unlike(case: Case) -> Finding | None:
    """A loss of pairs that draws together what differs in some columns of the inputs by far more
    than what it pushes apart, and in none by far less: as long as it moves nearly all of them, for
    later only the hard ones are left of what was to be apart.
    """
    if case.before_training or case.several or _rises(case):
        return None
    if case.loss_is_error and not _is_of_pairs(case):
        return None
    pairs = [look.pairs for look in case.looks if look.pairs is not None]
    columns = _columns([one for one in pairs if one.felt >= FELT])
    if len(columns) < 2 or max(columns)[0] < COLUMN_SIGMAS or min(columns)[0] < -AGAINST_SIGMAS:
        return None
    _, column, drawn, pushed = max(columns)
    if drawn[1] <= FURTHER * pushed[1]:
        return None
    scored = bool(case.observation.scores)
    return Finding(
        "loss_sign",
        STEP,
        "error" if scored else "warning",
        0.8 if scored else 0.7,
        "The loss draws together the codes of inputs that differ, and pushes apart those of inputs "
        f"that are alike: in column {column} the squared difference is {drawn[1]:.3g} for the "
        f"former and {pushed[1]:.3g} for the latter in the mean, and no column says otherwise. "
        "Near and far are exchanged, in the sign of the loss, its labels or its arguments.",
        [
            Measure(
                f"squared difference in column {column} of inputs that are drawn together",
                significant(drawn[1]),
                f"below {significant(pushed[1]):g}",
                f"{drawn[0]} pairs that are drawn together, {pushed[0]} that are pushed apart",
            )
        ],
        [
            Remedy(
                {},
                "what belongs together is to come near",
                "check what a label of 1 means to the loss, and which argument is the positive",
            )
        ],
        {},
        0,
    )


def _is_of_pairs(case: Case) -> bool:
    """Whether each term of the loss is computed from two answers, or more, of the network."""
    terms = [term for look in case.looks[:8] for term in look.loss_terms]
    return bool(terms) and all(len(term.passes) > 1 for term in terms)


Parts = tuple[int, float, float]


def _columns(pairs: list[PairDistances]) -> list[tuple[float, int, Parts, Parts]]:
    """Of each column of the inputs: by how many standard errors the squared difference of what is
    drawn together is the larger one, the column, and both; nothing of too few pairs.
    """
    known = [one for one in pairs if one.drawn_columns and one.pushed_columns]
    if len({len(one.drawn_columns) for one in known}) != 1:
        return []
    columns = []
    for column in range(len(known[0].drawn_columns)):
        drawn = _all([(one.drawn[0], *one.drawn_columns[column]) for one in known])
        pushed = _all([(one.pushed[0], *one.pushed_columns[column]) for one in known])
        if drawn is None or pushed is None:
            return []
        noise = math.hypot(drawn[2], pushed[2])
        if noise > 0:
            columns.append(((drawn[1] - pushed[1]) / noise, column, drawn, pushed))
    return columns


def _all(parts: list[tuple[int, float, float]]) -> tuple[int, float, float] | None:
    """How many pairs there are in all looks, their mean and its standard error; None of too few."""
    count = sum(n for n, _, _ in parts)
    if count < MIN_PAIRS:
        return None
    mean = math.fsum(n * m for n, m, _ in parts) / count
    spread = math.fsum(n * (variance + (m - mean) ** 2) for n, m, variance in parts) / count
    return count, mean, math.sqrt(spread / count)


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
    maximized = any(group.get("maximize") for group in case.facts.groups)
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


def _least_is_answer(case: Case) -> bool:
    """Whether outputs are turned before the function of the error, which becomes small: the least
    of them is the answer, as of times or of distances.
    """
    paths = [
        [operation.name for operation in term.operations]
        for look in case.looks[:8]
        for term in look.loss_terms
        if term.name in ERROR_LOSSES and term.target in DATA
    ]
    turned = bool(paths) and all(sum(map(path.count, ("Neg", "Rsub"))) % 2 for path in paths)
    maximized = any(group.get("maximize") for group in case.facts.groups)
    return turned and not maximized and final_loss(case) < LEARNED * first_loss(case)


def _wrong_way(case: Case) -> Finding | None:
    wrong = _wrong(case)
    maximized = any(group.get("maximize") for group in case.facts.groups)
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
            at = gradient.gather(1, target.long()[:, None])[:, 0]
            return float((at > 0).double().mean()) if bool(at.any()) else None
        if (
            target.shape == output.shape
            and target.is_floating_point()
            and case.identified_loss is not None
        ):
            return 1.0 if case.identified_loss.scale < 0 else 0.0
    return 1.0 if _is_negated(case) else None


def _is_negated(case: Case) -> bool:
    """Whether the loss is no more than a function of errors with a minus, of whatever part of the
    outputs: in networks that play against each other one may be meant to err.
    """
    terms = [look.loss_terms for look in case.looks[:3] if look.loss_terms]
    return (
        bool(terms)
        and not case.several
        and all(
            len(of_look) == 1
            and of_look[0].name in ERROR_LOSSES
            and of_look[0].target in (*DATA, "network", "output")
            and of_look[0].factor is not None
            and of_look[0].factor < 0
            for of_look in terms
        )
    )
