"""gradient_not_cleared: the gradients of earlier steps are added to that of each new step.

They are still in `.grad` when the next backward pass adds its own. Measured: what is in `.grad` of
each parameter at the moment before its own gradient is added, though its optimizer has used it
already; found where that is above 1 % of the gradient that the optimizer uses next, in at least
half of the looks that can tell. Without an optimizer the gradients of parameters that changed have
been used. Source: PyTorch, torch.optim, zero_grad.

Remedies: `optimizer.zero_grad()` once for every step. Silent on: clearing before or after the
step, or between forward and backward, which is all the same; accumulating on purpose, which
clears after its step; gradients that another head or network has sent, and that are cleared before
they are used; a loop without an optimizer that keeps a share of them as momentum.
"""

from __future__ import annotations

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.gradient_use import GradientUse, gradient_uses, gradient_uses_by_hand
from sevensteps.doctor.measures import significant
from sevensteps.observe.step_account import joint_norm

STEP = "gradient"
EXPLAINS = (
    "learning_rate_too_high",
    "exploding_gradient",
    "not_finite",
    "dead_units",
    "saturated_units",
    "underfitting",
    "optimizer_setting",
    "stopped_early",
    "overfitting",
    "batch_too_small",
    "output_overconfident",
    "signal_explodes",
)


LEAST = 0.01  # of the gradient that is used
LOOKS = 2  # that show it, at least


def examine(case: Case) -> Finding | None:
    uses = [*gradient_uses(case), *gradient_uses_by_hand(case)]
    for optimizer in sorted({use.optimizer for use in uses}):
        # (use, leftover as a share of what is used), where both are known
        known = [
            (use, share)
            for use in uses
            if use.optimizer == optimizer and (share := _leftover_share(use)) is not None
        ]
        if sum(share == 0 for use, share in known if use.stepped) > 1:
            # It clears before its steps: what is there between them is not used.
            known = [(use, share) for use, share in known if use.stepped]
        uncleared = [(use, share) for use, share in known if share > LEAST]
        if len(uncleared) >= LOOKS and len(uncleared) >= 0.5 * len(known):
            return _finding(uncleared, [use for use, _ in known])
    return None


def _leftover_share(use: GradientUse) -> float | None:
    """What was left over, as a share of the gradient that it is part of."""
    rows = [p for p in use.parameters.values() if p.leftover is not None]
    whole = joint_norm(p.used if p.stepped else p.gradient for p in rows)
    return joint_norm(p.leftover for p in rows) / whole if rows and whole > 0 else None


def _finding(uncleared: list[tuple[GradientUse, float]], known: list[GradientUse]) -> Finding:
    after, share = uncleared[0]
    left = {
        name
        for use, _ in uncleared
        for name, p in use.parameters.items()
        if p.leftover and p.leftover > LEAST * (p.used or p.gradient or 0.0)
    }
    every = {name for use in known for name in use.parameters}
    norm = joint_norm(p.leftover for p in after.parameters.values())
    parameters = "" if left == every else f" of {len(left)} of {len(every)} parameters"
    return Finding(
        "gradient_not_cleared",
        STEP,
        "error",
        0.96,
        f"When the backward pass of step {after.step} began, a gradient{parameters} that an "
        f"update had used already was still there (its norm was {norm:.3g}), and the new one "
        "was added to it: each step also moves in the direction of all earlier ones, ever faster, "
        "and past the minimum.",
        [
            Measure(
                "gradient left over when the backward pass begins",
                significant(norm),
                0,
                f"step {after.step}",
            ),
            Measure(
                "as a share of the gradient that it is part of",
                significant(share),
                0,
                f"in {len(uncleared)} of {len(known)} looks",
            ),
        ],
        [
            Remedy(
                {"gradient": "auto()"},
                "each step then follows the gradient of its own batch",
                "call optimizer.zero_grad(), or model.zero_grad(), once for every step",
            )
        ],
        {} if left == every else {"parameters": sorted(left)[:32]},
        max(after.step, 1),
    )
