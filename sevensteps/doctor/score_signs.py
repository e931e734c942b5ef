"""Scores and rewards that fall as the loss is made small: a part of `loss_sign`."""

from __future__ import annotations

import math
import statistics

from sevensteps.doctor.case import Case
from sevensteps.doctor.falling_scores import (
    fallen_rewards,
    falling_parts,
    lost_parts,
    noise_of_difference,
)
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import (
    final_loss,
    first_loss,
    is_maximized,
    largest_early_update,
    significant,
)
from sevensteps.observe.call import LossTerm

STEP = "loss"
LEAST_SIGNS = 4  # looks in which weights were compared with rewards
MIN_SCORES = 40  # reported by the loop; fewer show no trend
FALLEN = 0.8  # of the first loss, that the last one is below
THROWN = 0.5  # |Δw| / |w| of a whole matrix in one of the first steps
WEIGHED = ("Mul", "MaskMul", "SignedMul")


def against_score(case: Case) -> Finding | None:
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
    maximized = is_maximized(case)
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
        "actions of a large weight rarer. Right for costs, it is wrong for rewards and advantages"
        + (
            "."
            if case.observation.notes.get("script")
            else "; with watch.step(loss, score=reward) the doctor can tell which."
        ),
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
