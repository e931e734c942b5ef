"""learning_rate_too_low: the steps are so short that the training has hardly left its start.

The slope still points the same way. Measured: the path, not the number: all steps together moved
the weights by little of their own length; or steps · rate · λ_max, by Lanczos, is so small that not
even the steepest direction has been gone down; or the loss still falls in a nearly straight line
far from its goal, while the curvature would allow a rate many times as large. Whatever the loss
measures: the weights are near where they were drawn, and nothing says that it learned. Closed form:
stable below 2/λ_max, and down by 1/e in 1 / (rate · λ) steps. A warm-up that never ends: the
schedule only raised the rate, and left off far below the one that it works towards (`initial_lr`;
of rates that the loop itself raises up to its last steps, the one that the optimizer was built
with).

Remedies: a rate several times as high, as far as the curvature or the way still to go allows;
`adam(lr=0.001)`, whose steps do not depend on how small the gradients are. Silent on: a rate
that its schedule lowered (see schedule_collapsed); losses that have bent and levelled off;
networks that learn; a few hundred steps of the usual length, which were too few, not too short,
unless even along the steepest direction they have hardly begun. An error only where the loss has
gone nowhere.
"""

from __future__ import annotations

import statistics
from itertools import pairwise

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.gradient_use import known_to_learn
from sevensteps.doctor.hardly_moved import hardly_moved
from sevensteps.doctor.learning import judge
from sevensteps.doctor.measures import (
    ADAPTIVE,
    SHORT_PATH,
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
from sevensteps.doctor.room_for_rate import ROOM, WAY, Room, loss_is_straight, room_for_rate
from sevensteps.doctor.simple_models import worse_than_simple_model

STEP = "step"
EXPLAINS = ("underfitting", "stopped_early", "too_small", "ill_conditioned", "class_imbalance")
PATH = 0.1  # all steps together, in norms of the weights
# of optimizers whose steps are as long as their rate, however small the gradients
PATH_ADAPTIVE = 0.3
SLOW = 3.0  # e-folds along the steepest direction, in all steps together
NOT_BEGUN = 0.3  # of them: then even a few hundred steps are not what was missing
FAR_BELOW = 100.0  # times the rate that would be stable: whatever the steps, it is the rate
LINE = -0.95  # correlation of the loss with the step
WARM = 0.3  # of the rate that a warm-up works towards
LAST = 0.9  # of the steps: a rate that the loop itself still raises then has not arrived
BEGUN = 0.05  # of the way from chance to perfect
GOOD = 0.9  # of it, where nobody asks how the weights came there
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
    room = room_for_rate(case)
    if room is None:
        return None  # the loss follows the warm-up
    first, end = first_loss(case), final_loss(case)
    path = path_of_steps(case)
    weak = not learned_enough(case, 0.3)
    usual = PATH_ADAPTIVE if optimizer_name(case) in ADAPTIVE else PATH
    short = (weak and path < usual) or _left_as_drawn(case)
    falls = (loss_still_falls(case) or _steady(case)) and end > 0.25 * first
    straight = falls and loss_is_straight(case)
    behind = weak or worse_than_simple_model(case, 0.1 if learned_enough(case, 0.8) else 0.05)
    # not even along the steepest direction has it gone down by a good part
    slow = path < SHORT_PATH and room.time_constants < SLOW and (weak or falls)
    slow = slow and worse_than_simple_model(case, 0.1)
    if not path > 0 or not (short or slow or (straight and behind)) or _too_few(case, room):
        return None
    least = usual if path < usual else SHORT_PATH
    short = (short and not room.times < ROOM) or (slow and room.is_large)
    # without a curvature to go by, steps that led far, and still do, were too few, not too short
    near = path < WAY / 2 or not loss_still_falls(case)
    straight = straight and (room.is_large or (not room.is_known and near))
    if not (short or (straight and (weak or room.is_large))):
        return None
    rate = room.rate
    proposed = room.longer(max(WAY / path, 1.0) if short else 10.0)
    evidence = [
        Measure(
            "all steps together, in norms of the weights",
            significant(path),
            f"above {least:g}",
            "median |Δw| / |w| times steps",
        ),
        Measure("loss, from start to end", f"{first:.3g} → {end:.3g}", "far lower", ""),
    ]
    if room.is_known:
        evidence.append(
            Measure(
                "learning rate, beside the largest stable one, 2/λ_max",
                significant(rate),
                f"about {room.edge:.3g}",
                "Lanczos, at the end",
            )
        )
    return Finding(
        "learning_rate_too_low",
        STEP,
        "error" if weak and not loss_fell(case) else "warning",
        0.85 if short and room.is_large else 0.75,
        f"With a learning rate of {rate:g} the {case.steps:,} steps together moved the "
        f"weights by {path:.2g} times their own norm: "
        f"the loss only went from {first:.3g} to {end:.3g}"
        + (" and was still falling" if straight else "")
        + (
            f". The curvature here would allow a rate {significant(room.times, 2):,.0f} times as "
            "large."
            if room.is_large
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


def _left_as_drawn(case: Case) -> bool:
    """Whether the weights are near where they were drawn, and nothing says that this was enough."""
    return hardly_moved(case) and not _has_learned(case, GOOD)


def _has_learned(case: Case, at_least: float) -> bool:
    """Whether the training came that far; where neither a score nor the loss says so, whether it is
    better than chance in another measure.
    """
    if case.skill is not None or case.loss_is_error:
        return known_to_learn(case, at_least)
    return judge(case).verdict == "learns"


def _too_few(case: Case, room: Room) -> bool:
    """Whether the steps were too few, not too short."""
    if room.is_large and (room.time_constants < NOT_BEGUN or room.times > FAR_BELOW):
        return False  # as many would have been enough
    return is_short(case) or (few_usual_steps(case) and learned_enough(case, BEGUN))


def _warm_up(case: Case) -> Finding | None:
    """A schedule that raises the rate from the first step to the last, and gets nowhere near."""
    rates = case.observation.rates
    groups = [group for look in case.looks if look.account for group in look.account.groups[:1]]
    scheduled = next((group.initial_lr for group in groups if group.initial_lr), None)
    full = scheduled or next((group.built_lr for group in groups if group.built_lr), None)
    if full is None or len(rates) < 2 or case.steps < 20 or case.before_training:
        return None
    if full > MOST_ADAPTIVE and optimizer_name(case) in ADAPTIVE:
        return None  # a factor of the schedule's own formula, not a rate
    rises = all(b > a for (_, a), (_, b) in pairwise(rates))
    last = rates[-1][1]
    if not rises or not 0 < last < WARM * full or known_to_learn(case, 0.8):
        return None
    if scheduled is None and rates[-1][0] < LAST * case.steps:
        return None  # it came to an end, at a rate that is the loop's own
    moves = len(rates) - 1
    goal, source = (
        ("it works towards", "initial_lr of the optimizer group")
        if scheduled
        else ("the optimizer was built with", "defaults of the optimizer")
    )
    return Finding(
        "learning_rate_too_low",
        STEP,
        "error" if not learned_enough(case, 0.5) else "warning",
        0.93,
        f"The learning rate was still warming up when the training ended: it had reached {last:.2g}"
        f", {last / full:.1%} of the {full:g} that {goal}. In {case.steps:,} steps the schedule "
        f"moved it {moves:,} times.",
        [
            Measure(
                f"learning rate at the end, of the one that {goal}",
                significant(last / full),
                "1 after a tenth of the steps or less",
                source,
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
                    if scheduled and moves < 0.5 * case.steps
                    else ""
                ),
            )
        ],
        {},
        0,
    )


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
