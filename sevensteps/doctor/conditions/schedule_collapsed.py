"""schedule_collapsed: the schedule cut the learning rate to nothing long before the end.

From there on, the training stood still. Measured: the rate of every step against its peak, and the
loss at the step from which on it stayed low. Where neither a score nor the loss says how well it
learned: that the weights had not walked their own length by then. A schedule that was stepped too
often (per batch instead of per epoch), or made for fewer steps, does that, and an optimizer that
divides its rate by the number of steps. Closed form: a step is proportional to its rate.

Remedies: step the scheduler once an epoch, or make it as long as the training; a constant rate.
Silent on: a rate that ends near 0 at the end, which is a healthy schedule; trainings that had
learned well before; a rate that was cut when the evaluations no longer improved.
"""

from __future__ import annotations

from sevensteps.doctor.case import Case
from sevensteps.doctor.effective_rates import decays_by_itself, effective_rates
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.gradient_use import known_to_learn
from sevensteps.doctor.hardly_moved import began_as_drawn
from sevensteps.doctor.learning import judge
from sevensteps.doctor.measures import (
    SHORT_PATH,
    largest_relative_update,
    learned_enough,
    median,
    significant,
    step_with_rate,
)
from sevensteps.doctor.simple_models import worse_than_simple_model

STEP = "step"
EXPLAINS = (
    "stopped_early",
    "underfitting",
    "learning_rate_too_low",
    "too_small",
    "parameters_not_updated",
    "class_imbalance",
)
LOW = 0.01  # of the peak
SHARE = 0.5  # of the steps
ONCE = 0.1  # of the steps
GONE = 1e-6  # of the peak, to which no schedule of 1/t comes
PATIENCE = 3  # evaluations after the best one, before a schedule that follows them cuts the rate


def examine(case: Case) -> Finding | None:
    rates = effective_rates(case)
    if case.before_training or len(rates) < 3 or case.steps < 20 or known_to_learn(case, 0.9):
        return None
    peak = max(rate for _, rate in rates)
    if not peak > 0:
        return None
    collapsed = next(
        (
            step
            for index, (step, rate) in enumerate(rates)
            if rate < LOW * peak and all(r < LOW * peak for _, r in rates[index:])
        ),
        None,
    )
    if collapsed is None or case.steps - collapsed < SHARE * case.steps:
        return None
    decays = decays_by_itself(case)
    before = [value for step, value in case.losses if step <= collapsed]
    after = [value for step, value in case.losses if step > collapsed]
    if (
        len(before) < 2
        or not after
        or (known_to_learn(case, 0.6) and not worse_than_simple_model(case, 0.03))
        or _was_level(case, collapsed)
        or not (case.skill is not None or case.loss_is_error or _at_once(case, collapsed))
    ):
        return None
    return Finding(
        "schedule_collapsed",
        STEP,
        "error" if not learned_enough(case, 0.5) else "warning",
        0.87,
        f"From step {collapsed} on, the learning rate is below a hundredth of its peak of "
        f"{peak:g}{', as the optimizer itself lowers it with every step' if decays else ''}: "
        f"{(case.steps - collapsed) / case.steps:.0%} of the steps changed nothing any more, "
        "though there was still much to learn.",
        [
            Measure(
                "learning rate at the end against its peak",
                significant(rates[-1][1] / peak),
                f"above {LOW:g} for most steps",
                "looks",
            ),
            Measure(
                "share of steps with hardly any rate",
                significant((case.steps - collapsed) / case.steps),
                f"below {SHARE:g}",
                "",
            ),
        ],
        [
            Remedy(
                {"step": step_with_rate(case, peak)},
                "a constant rate keeps learning; a schedule should end where the training ends",
                "leave out lr_decay, which divides the rate by the number of steps and is not the "
                "factor of a schedule"
                if decays
                else "step the scheduler once an epoch, or make it as long as the training",
            )
        ],
        # nothing else has led to a rate that was gone so soon
        {"apart_from": ["inputs_unscaled", "targets_unscaled", "dead_units"]}
        if collapsed < ONCE * case.steps
        else {},
        collapsed,
    )


def _at_once(case: Case, step: int) -> bool:
    """Whether nothing can have been learned by this step, or nearly all steps came after it, where
    neither a score nor the loss tells what was left.
    """
    rates = [rate for _, rate in effective_rates(case)]
    if step < ONCE * case.steps and rates[-1] < GONE * max(rates):
        return True
    return _near_start(case, step) and judge(case).verdict != "learns"


def _near_start(case: Case, step: int) -> bool:
    """Whether the weights had not walked their own length by this step, from where they were
    drawn.
    """
    before = [look for look in case.looks if look.step <= step]
    path = median(largest_relative_update(case, look)[0] for look in before) * step
    return path < SHORT_PATH and began_as_drawn(case)


def _was_level(case: Case, step: int) -> bool:
    """Whether the evaluations no longer improved at this step: `ReduceLROnPlateau` waits for it."""
    seen = [one for one in case.observation.evaluations if one[0] <= step]
    losses = [-loss for _, loss, _ in seen if loss is not None]
    scores = [score for _, _, score in seen if score is not None]
    return any(
        len(values) > PATIENCE and values.index(max(values)) < len(values) - PATIENCE
        for values in (losses, scores)
    )
