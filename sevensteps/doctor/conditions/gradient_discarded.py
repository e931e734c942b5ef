"""gradient_discarded: most gradients are cleared before an optimizer has used them.

Where gradients are accumulated over several batches, `zero_grad` stands in the inner loop: each
step then follows its last batch alone, and the others are computed for nothing. Measured: for each
parameter, the backward passes whose gradient was cleared with no step of its optimizer since, and
those that a step used. Or nothing is accumulated, and the gradient that the backward pass left is
gone when the optimizer steps. Source: PyTorch, Automatic mixed precision examples, Gradient
accumulation.

Remedies: `optimizer.zero_grad()` only after `optimizer.step()`. Silent on: gradients that are not
finite, which a scaler skips; passes that want the input's gradient, or take the same input again,
as adversarial training does; gradients that are put together by hand; optimizers that are not
PyTorch's, which may add gradients up in a place of their own; trainings that learn well.
"""

from __future__ import annotations

import math

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.gradient_use import GradientUse, gradient_uses, known_to_learn
from sevensteps.doctor.measures import learned_enough, median, significant

STEP = "gradient"
EXPLAINS = (
    "underfitting",
    "stopped_early",
    "learning_rate_too_low",
    "batch_too_small",
    "parameters_not_updated",
    "does_not_learn",
)
PASSES = 3  # that were thrown away, at least
LOOKS = 2  # that show it, where none of them has a step of the optimizer
MOST = 0.9  # of the looks, where the gradient is gone before each step
RATIO = 1.5  # thrown away for each that was used


def examine(case: Case) -> Finding | None:
    uses = list(gradient_uses(case))
    if case.before_training or known_to_learn(case, 0.9):
        return None
    if case.observation.notes.get("other_optimizer"):
        return None  # it may add up gradients in a place of its own, as Keras's do
    for optimizer in sorted({use.optimizer for use in uses}):
        own = [use for use in uses if use.optimizer == optimizer]
        steps = [use for use in own if use.stepped]
        discarded = sum(_discarded(use) for use in own)
        used = sum(median(p.accumulated for p in use.parameters.values()) for use in steps)
        if (emptied := [use for use in own if _is_emptied(use)]) and len(emptied) >= max(
            LOOKS, MOST * len(own)
        ):
            return _emptied(case, emptied)
        if steps:
            sure = discarded >= PASSES and all(use.untouched for use in steps)
        else:
            sure = discarded >= LOOKS and _throws_reports_away(case, optimizer, own)
        if sure and discarded >= RATIO * used:
            return _finding(case, own, int(discarded), int(used))
        brought, held = _passes_of_updates(case, optimizer, own)
        if brought - held >= RATIO * held > 0:
            return _finding(case, own, round(brought - held), round(held))
    return None


def _passes_of_updates(case: Case, optimizer: int, uses: list[GradientUse]) -> tuple[float, float]:
    """(backward passes, those of them in the gradients used) of all steps of an optimizer that
    steps only now and then: each report brings a pass, and a gradient that began at 0 holds what
    was added to it in the step alone. (0, 0) where that is not known.
    """
    updates = case.observation.notes.get("updates", [])
    steps = [use for use in uses if use.stepped]
    between = [use for use in uses if not use.stepped]
    if case.several or optimizer >= len(updates) or min(len(steps), len(between)) < LOOKS:
        return 0.0, 0.0
    began_empty = all(p.leftover == 0.0 for use in steps for p in use.parameters.values())
    if not updates[optimizer] or not began_empty or not all(use.untouched for use in steps):
        return 0.0, 0.0
    passes = median(p.passes for use in uses for p in use.parameters.values())
    held = median(p.accumulated for use in steps for p in use.parameters.values())
    return passes * case.steps, held * updates[optimizer]


def _is_emptied(use: GradientUse) -> bool:
    """Whether the optimizer stepped after the backward pass, and found no gradient of it. That of
    some parameters may be 0, as of a bias with as many errors above as below.
    """
    rows = list(use.parameters.values())
    return (
        use.group.steps > 0
        and any(p.gradient for p in rows)
        and all(p.gradient is not None and math.isfinite(p.gradient) for p in rows)
        and not any(p.stepped and p.used for p in rows)
    )


def _emptied(case: Case, uses: list[GradientUse]) -> Finding:
    return Finding(
        "gradient_discarded",
        STEP,
        "error" if not learned_enough(case, 0.6) else "warning",
        0.95,
        f"In {len(uses)} looks the backward pass left a gradient (its norm was "
        f"{uses[0].gradient:.3g} in step {uses[0].step}), and when the optimizer stepped it was "
        "gone: it is cleared between backward() and step(), and the steps follow nothing, or what "
        "momentum is left.",
        [
            Measure(
                "norm of the gradient at the optimizer's step",
                0,
                significant(uses[0].gradient),
                f"after the backward pass, step {uses[0].step}",
            )
        ],
        [
            Remedy(
                {"gradient": "auto()"},
                "the optimizer can only follow a gradient that is still there",
                "call optimizer.zero_grad() before loss.backward() or after optimizer.step(), not "
                "between them",
            )
        ],
        {},
        uses[0].step,
    )


def _throws_reports_away(case: Case, optimizer: int, uses: list[GradientUse]) -> bool:
    """Whether each look followed the one pass of a reported step, and far fewer steps than were
    reported have changed a parameter.
    """
    updates = case.observation.notes.get("updates", [])
    return (
        all(p.passes == 1 for use in uses for p in use.parameters.values())
        and optimizer < len(updates)
        and 0 < updates[optimizer] * RATIO < case.steps
    )


def _discarded(use: GradientUse) -> float:
    """How many passes were thrown away, of the parameter in the middle."""
    return median(p.discarded for p in use.parameters.values())


def _finding(case: Case, uses: list[GradientUse], discarded: int, used: int) -> Finding:
    first = next((use.step for use in uses if _discarded(use)), uses[0].step)
    return Finding(
        "gradient_discarded",
        STEP,
        "error" if not learned_enough(case, 0.6) else "warning",
        0.95,
        f"{discarded} of {discarded + used} backward passes that were counted are thrown away: "
        "their gradients are cleared before the optimizer has used them. Each step follows its "
        "last batch alone, and where the loss is divided by the number of batches, by as much "
        "less.",
        [
            Measure(
                "share of the gradients that are cleared unused",
                significant(discarded / (discarded + used)),
                0,
                "from each backward pass to the next",
            )
        ],
        [
            Remedy(
                {"gradient": "auto()"},
                "each step then follows the mean gradient of all its batches",
                "call optimizer.zero_grad() only after optimizer.step(), not for every batch",
            )
        ],
        {},
        first,
    )
