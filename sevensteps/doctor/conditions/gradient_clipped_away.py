"""gradient_clipped_away: clipping leaves next to nothing of the gradient.

With a `GradScaler`, the gradient is still multiplied by its scale until `unscale_`: clipped before,
it is as many times too short afterwards. Measured: the gradient at the optimizer's step against
that after the backward pass, both without the scale; found where less than 1 % is left in nearly
all looks, and what is left has always the same norm, as a limit gives it. Source: PyTorch,
Automatic mixed precision examples, Gradient clipping.

Remedies: `scaler.unscale_(optimizer)` before clipping; a limit above the usual norm. Silent on:
gradients that are divided by one number, as for a mean; optimizers that divide by the gradient's
own size, as long as that is above their `eps`; trainings that learn well.
"""

from __future__ import annotations

import math

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.gradient_use import GradientUse, gradient_uses, known_to_learn, spread
from sevensteps.doctor.measures import ADAPTIVE, learned_enough, median, significant

STEP = "gradient"
EXPLAINS = (
    "underfitting",
    "stopped_early",
    "learning_rate_too_low",
    "parameters_not_updated",
    "vanishing_gradient",
    "optimizer_setting",
    "too_small",
)
LEFT = 0.01  # of the gradient
LOOKS = 3  # at least
CONSTANT = 0.33  # how the norm that is left varies, against what of the gradient is left


def examine(case: Case) -> Finding | None:
    if case.before_training or known_to_learn(case, 0.9):
        return None
    uses = [use for use in gradient_uses(case) if use.stepped and _true(use) > 0]
    for optimizer in sorted({use.optimizer for use in uses}):
        own = [use for use in uses if use.optimizer == optimizer]
        clipped = [use for use in own if use.used < LEFT * _true(use)]
        if len(clipped) >= LOOKS and len(clipped) >= 0.8 * len(own) and _is_limited(clipped):
            if own[0].group.kind in ADAPTIVE and not _below_eps(case, clipped):
                continue
            scaled = all(use.group.scale for use in clipped)
            if scaled or not learned_enough(case, 0.9):
                return _finding(case, clipped, len(own))
    return None


def _scale(use: GradientUse) -> float:
    return use.group.scale or 1.0


def _true(use: GradientUse) -> float:
    """The norm of the loss's own gradient; 0 where it is not finite."""
    return use.gradient / _scale(use) if math.isfinite(use.gradient) else 0.0


def _is_limited(uses: list[GradientUse]) -> bool:
    """Whether what is left has always the same norm, before or after unscaling, however large the
    gradient was.
    """
    shares = spread([use.used / _true(use) for use in uses])
    norms = spread([use.used for use in uses])
    scaled_norms = spread([use.used * _scale(use) for use in uses])
    return shares > 0 and min(norms, scaled_norms) < CONSTANT * shares


def _below_eps(case: Case, uses: list[GradientUse]) -> bool:
    """Whether the entries are no larger than what an adaptive optimizer adds to their size."""
    eps = next((g["eps"] for g in case.facts.groups if g.get("eps")), 1e-8)
    sizes = [sum(p.size for p in use.parameters.values() if p.stepped) for use in uses]
    entries = [use.used / math.sqrt(max(n, 1)) for use, n in zip(uses, sizes, strict=True)]
    return median(entries) < eps


def _finding(case: Case, clipped: list[GradientUse], looks: int) -> Finding:
    factor = median(_true(use) / max(use.used, 1e-300) for use in clipped)
    scale = median(use.group.scale or math.nan for use in clipped)
    norm, true = median(use.used for use in clipped), median(_true(use) for use in clipped)
    early = not math.isnan(scale)
    limit = norm * scale if early else norm
    return Finding(
        "gradient_clipped_away",
        STEP,
        "error" if not learned_enough(case, 0.6) else "warning",
        0.95,
        (
            f"The gradient is {scale:,.0f} × larger when it is clipped than when it is used: it is "
            f"cut to a norm of {limit:.3g} while it is still multiplied by the scaler's factor, "
            f"and the optimizer then gets a norm of {norm:.2g}, {factor:,.0f} × less than the "
            f"loss's own gradient ({true:.2g})."
            if early
            else f"Clipping cuts the gradient from a norm of {true:.3g} to {norm:.2g}, always the "
            f"same: {factor:,.0f} × less. The steps are as many times shorter, and large and small "
            "gradients count the same."
        ),
        [
            Measure(
                "gradient after the backward pass, times that at the optimizer's step",
                significant(factor),
                f"below {1 / LEFT:g}",
                f"median of {len(clipped)} of {looks} looks; without the scale",
            ),
            Measure("norm at the optimizer's step", significant(norm), significant(true), ""),
        ],
        [
            Remedy(
                {"gradient": "auto()"},
                "the optimizer then gets the gradient itself, and clipping limits only outliers",
                "call scaler.unscale_(optimizer) before clip_grad_norm_"
                if early
                else f"a limit above the usual norm, about {2 * true:.1g}, or none",
            )
        ],
        {},
        clipped[0].step,
    )
