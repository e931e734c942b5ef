"""optimizer_setting: an optimizer's setting, other than its learning rate, keeps it from working.

Measured: the settings of the first group, where the training does not learn: momentum of .985 or
more, which remembers 1/(1 - momentum) steps and overshoots; dampening of .9 or more; eps of .01 or
more, as large as the gradients, which turns Adam into slow gradient descent; β₁ of .99 or more,
which averages over more steps than there are, or β₂ below .5. Source: Kingma, Ba 2015; Sutskever et
al. 2013.

Remedies: the usual setting: momentum .9, no dampening, eps 1e-8, betas (.9, .999). Silent on:
unusual settings with which the network learns.
"""

from __future__ import annotations

import math

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.gradient_use import gradient_uses, known_to_learn
from sevensteps.doctor.measures import optimizer_name

STEP = "step"
EXPLAINS = (
    "learning_rate_too_high",
    "learning_rate_too_low",
    "underfitting",
    "stopped_early",
    "not_finite",
    "exploding_gradient",
    "dead_units",
    "saturated_units",
    "too_small",
    "batch_too_small",
    "class_imbalance",
)
LARGE_EPS = 1e-2  # a million times the usual one
BESIDE = 3.0  # times the largest root mean square of a parameter's gradient, in most looks


def examine(case: Case) -> Finding | None:
    if case.before_training or not case.facts.groups or known_to_learn(case, 0.75):
        return None
    group, name = case.facts.groups[0], optimizer_name(case)
    lr = case.lr or 0.01
    momentum = float(group.get("momentum", 0) or 0)
    if name in ("SGD", "RMSprop") and momentum >= 0.985:
        return _finding(
            "momentum",
            momentum,
            "0.9",
            f"A momentum of {momentum:g} adds up the last {1 / max(1 - momentum, 1e-9):,.0f} "
            "gradients: the steps become that many times as long as the learning rate says, and "
            "cannot turn in time.",
            {"step": f"sgd(lr={lr:g}, momentum=0.9)"},
        )
    dampening = float(group.get("dampening", 0) or 0)
    if name == "SGD" and dampening >= 0.9 and momentum:
        return _finding(
            "dampening",
            dampening,
            "0",
            f"A dampening of {dampening:g} lets only {1 - dampening:.0%} of each gradient in.",
            {"step": f"sgd(lr={lr:g}, momentum={momentum:g})"},
        )
    eps = float(group.get("eps", 0) or 0)
    if name.startswith(("Adam", "NAdam", "RMSprop", "RAdam")) and _drowns(case, eps):
        return _finding(
            "eps",
            eps,
            "1e-8",
            f"An eps of {eps:g} is as large as the gradients themselves: the step no longer "
            "adapts to "
            "their size, and is far shorter than the learning rate says.",
            {"step": f"adam(lr={lr:g})"},
        )
    betas = group.get("betas")
    if (
        isinstance(betas, tuple | list)
        and len(betas) == 2
        and (float(betas[0]) >= 0.99 or float(betas[1]) < 0.5)
    ):
        return _finding(
            "betas",
            str(tuple(betas)),
            "(0.9, 0.999)",
            f"With betas of {tuple(betas)} Adam averages the gradient over "
            f"{1 / max(1 - float(betas[0]), 1e-9):,.0f} steps and its square over "
            f"{1 / max(1 - float(betas[1]), 1e-9):,.0f}: the direction is old, or "
            "the scale is noise.",
            {"step": f"adam(lr={lr:g})"},
        )
    return None


def _drowns(case: Case, eps: float) -> bool:
    """Whether an eps is large beside the gradients' numbers; what is usually one is, where the
    training can be seen to learn too little.
    """
    if case.skill is not None or case.loss_is_error:
        return eps >= LARGE_EPS
    largest = sorted(
        max(
            (p.used / math.sqrt(p.size) for p in use.parameters.values() if p.used is not None),
            default=0.0,
        )
        for use in gradient_uses(case)
    )
    # the upper quartile: one large gradient among all does not make an eps small
    return (
        eps >= LARGE_EPS and bool(largest) and eps > BESIDE * largest[3 * (len(largest) - 1) // 4]
    )


def _finding(
    setting: str, observed: object, expected: str, explanation: str, change: dict[str, str]
) -> Finding:
    return Finding(
        "optimizer_setting",
        STEP,
        "error",
        0.8,
        explanation,
        [Measure(setting, observed, expected, "the optimizer's group")],
        [Remedy(change, "the usual setting", f"{setting}={expected}")],
        {"setting": setting},
        0,
    )
