"""learning_rate_too_low: the steps are so short that the training has hardly left its start.

The slope still points the same way. Measured: the path, not the number: all steps together moved
the weights by little of their own length, or the loss still falls in a nearly straight line far
from its goal, while the curvature λ_max, by Lanczos, would allow a rate many times as large. Closed
form: stable below 2/λ_max. A warm-up that never ends: the schedule only raised the rate, and left
off far below the one that it works towards (`initial_lr`).

Remedies: a rate several times as high, as far as the curvature or the way still to go allows;
`adam(lr=0.001)`, whose steps do not depend on how small the gradients are. Silent on: a rate
that its schedule lowered (see schedule_collapsed); losses that have bent and levelled off;
networks that learn; a few hundred steps of the usual length, which were too few, not too short. An
error only where the loss has gone nowhere.
"""

from __future__ import annotations

import math
import statistics
from itertools import pairwise

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import (
    ADAPTIVE,
    few_usual_steps,
    final_loss,
    first_loss,
    is_short,
    learned_enough,
    loss_fell,
    loss_still_falls,
    median,
    optimizer_name,
    path_of_steps,
    significant,
    step_with_rate,
)
from sevensteps.doctor.simple_models import worse_than_simple_model

STEP = "step"
EXPLAINS = ("underfitting", "stopped_early", "too_small", "ill_conditioned", "class_imbalance")
PATH = 0.1  # all steps together, in norms of the weights
# of optimizers whose steps are as long as their rate, however small the gradients
PATH_ADAPTIVE = 0.3
ROOM = 10.0  # times larger rates would still be stable
# lengths of the weights that a healthy training walks: about the median of those of
# benchmarks/doctor
WAY = 6.0
LINE = -0.95  # correlation of the loss with the step
WARM = 0.3  # of the rate that a warm-up works towards
BEGUN = 0.05  # of the way from chance to perfect
MOST_ADAPTIVE = 0.05  # a rate that Adam and the like could be meant to reach


def examine(case: Case) -> Finding | None:
    if (finding := _warm_up(case)) is not None:
        return finding
    if (
        case.before_training
        or not case.lr
        or case.steps < 10
        or case.diverged_at is not None
        or len(case.smoothed_losses) < 5
    ):
        return None
    if median(look.lr[0] for look in case.looks if look.lr) < 0.1 * case.lr:
        return None  # that is its schedule's doing
    rate = _usual_rate(case)
    if rate is None:
        return None  # the loss follows the warm-up
    first, end = first_loss(case), final_loss(case)
    path = path_of_steps(case)
    weak = not learned_enough(case, 0.3)
    short = weak and path < (PATH_ADAPTIVE if optimizer_name(case) in ADAPTIVE else PATH)
    straight = (loss_still_falls(case) or _steady(case)) and end > 0.25 * first and _straight(case)
    behind = weak or worse_than_simple_model(case, 0.1 if learned_enough(case, 0.8) else 0.05)
    if not path > 0 or not (short or (straight and behind)) or _too_few(case):
        return None
    edge = (
        2 / case.curvature
        if optimizer_name(case) not in ADAPTIVE
        and not _has_corners(case)
        and case.curvature is not None
        and case.curvature > 0
        else None
    )
    room = edge / rate if edge else math.nan
    short = short and not (room < ROOM)
    # without a curvature to go by, steps that led far, and still do, were too few, not too short
    near = path < WAY / 2 or not loss_still_falls(case)
    straight = straight and (room > ROOM or (math.isnan(room) and near))
    if not (short or (straight and (weak or room > ROOM))):
        return None
    walk = max(WAY / path, 1.0)
    # a flat start may become steep
    factor = min(room / 2, math.sqrt(room / 2 * walk)) if room > ROOM else walk if short else 10.0
    proposed = rate * min(max(factor, 3.0), 10_000.0)
    evidence = [
        Measure(
            "all steps together, in norms of the weights",
            significant(path),
            f"above {PATH_ADAPTIVE if optimizer_name(case) in ADAPTIVE else PATH:g}",
            "median |Δw| / |w| times steps",
        ),
        Measure("loss, from start to end", f"{first:.3g} → {end:.3g}", "far lower", ""),
    ]
    if edge:
        evidence.append(
            Measure(
                "largest stable learning rate, 2/λ_max",
                significant(edge),
                f"about {rate:g}",
                "Lanczos, at the end",
            )
        )
    return Finding(
        "learning_rate_too_low",
        STEP,
        "error" if weak and not loss_fell(case) else "warning",
        0.85 if short and room > ROOM else 0.75,
        f"With a learning rate of {rate:g} the {case.steps:,} steps together moved the "
        f"weights by {path:.2g} times their own norm: "
        f"the loss only went from {first:.3g} to {end:.3g}"
        + (" and was still falling" if straight else "")
        + (
            f". The curvature here would allow a rate {significant(room, 2):,.0f} times as large."
            if room > ROOM
            else "."
        ),
        evidence,
        [
            Remedy(
                {"step": step_with_rate(case, proposed)},
                "longer steps get as far with far fewer of them",
                f"a learning rate of about {proposed:.1g}",
            ),
            Remedy(
                {"step": step_with_rate(case, 10 * proposed)},
                "longer still",
                f"a learning rate of about {10 * proposed:.1g}",
            )
            if optimizer_name(case) in ADAPTIVE
            else Remedy(
                {"step": "adam(lr=0.001)"},
                "Adam's steps are about as long as its rate, however small the gradients",
                "Adam at 1e-3",
            ),
        ],
        {},
        None,
    )


def _too_few(case: Case) -> bool:
    """Whether the steps were too few, not too short."""
    return is_short(case) or (few_usual_steps(case) and learned_enough(case, BEGUN))


def _warm_up(case: Case) -> Finding | None:
    """A schedule that raises the rate from the first step to the last, and gets nowhere near."""
    rates = case.observation.rates
    groups = [group for look in case.looks if look.account for group in look.account.groups[:1]]
    full = next((group.initial_lr for group in groups if group.initial_lr), None)
    if full is None or len(rates) < 2 or case.steps < 20 or case.before_training:
        return None
    if full > MOST_ADAPTIVE and optimizer_name(case) in ADAPTIVE:
        return None  # a factor of the schedule's own formula, not a rate
    rises = all(b > a for (_, a), (_, b) in pairwise(rates))
    last = rates[-1][1]
    if not rises or not 0 < last < WARM * full or learned_enough(case, 0.8):
        return None
    moves = len(rates) - 1
    return Finding(
        "learning_rate_too_low",
        STEP,
        "error" if not learned_enough(case, 0.5) else "warning",
        0.93,
        f"The learning rate was still warming up when the training ended: it had reached {last:.2g}"
        f", {last / full:.1%} of the {full:g} that it works towards. In {case.steps:,} steps the "
        f"schedule moved it {moves:,} times.",
        [
            Measure(
                "learning rate at the end, of the one that it works towards",
                significant(last / full),
                "1 after a tenth of the steps or less",
                "initial_lr of the optimizer group",
            ),
            Measure("times the schedule moved the rate", moves, f"up to {case.steps:,}", ""),
        ],
        [
            Remedy(
                {"step": step_with_rate(case, full)},
                "the steps are then as long as they were meant to be",
                "a warm-up of a tenth of the steps at most"
                + (
                    "; its length is counted in calls of scheduler.step(): call it for every batch"
                    if moves < 0.5 * case.steps
                    else ""
                ),
            )
        ],
        {},
        0,
    )


def _usual_rate(case: Case) -> float | None:
    """The learning rate, after a warm-up; None where that took more than half of the steps."""
    rates = case.observation.rates
    early = [rate for step, rate in rates if 2 * step <= case.steps]
    usual = max(case.lr or 0.0, *early[-1:])
    return None if any(rate > 1.1 * usual for _, rate in rates[len(early) :]) else usual


def _has_corners(case: Case) -> bool:
    """Whether the loss is straight but for its corners, so that its curvature is next to nothing
    and tells of no stable rate.
    """
    known = case.identified_loss
    return known is not None and known.loss.function in ("l1_loss", "multi_margin_loss")


def _steady(case: Case) -> bool:
    """Whether the loss fell from nearly every stretch of the training to the next, or in a line
    but for its noise.
    """
    means = [value for _, value in case.smoothed_losses]
    falls = [b < a for a, b in pairwise(means)]
    if len(falls) < 8:
        return False
    return sum(falls) >= 0.9 * len(falls) or (
        max(means) > min(means) and statistics.correlation(means, range(len(means))) < LINE
    )


def _straight(case: Case) -> bool:
    """Whether the loss of the second half fell at no less than a third of the pace of the first: no
    sign of a bend.
    """
    means = [value for _, value in case.smoothed_losses]
    half = len(means) // 2
    before, after = means[0] - means[half], means[half] - means[-1]
    return before > 0 and after > before / 3
