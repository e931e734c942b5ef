"""Answers that the gradient leads away from their targets: a part of `loss_sign`, of any loss."""

from __future__ import annotations

import statistics

import torch

from sevensteps.doctor.agreement import agreement, correlation_led, led_from_targets, share_led_away
from sevensteps.doctor.case import Case
from sevensteps.doctor.falling_scores import score_rises
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import final_loss, first_loss, significant
from sevensteps.observe.look import Look

STEP = "loss"
LED, MIN_LOOKS = 0.8, 4  # share of the answers that are led away; looks in which they are
OPPOSITE = -0.2  # correlation of outputs and targets at the end
RIGHT = 0.5  # standard deviations that right answers end above the others, where they agree
DRIVEN, FURTHER_OFF = 0.98, 2.0  # share of the numbers, in all looks, and growth of their distance
ROUND = -0.6  # mean cosine of answers and targets at the end, and by how much it fell


def driven_away(case: Case) -> Finding | None:
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


def turned_round(case: Case) -> Finding | None:
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


def led_away(case: Case) -> Finding | None:
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
