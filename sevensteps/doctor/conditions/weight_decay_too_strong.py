"""weight_decay_too_strong: decay pulls the weights to 0 harder than the loss pulls them anywhere.

Measured: the two pulls, weight_decay · |w| against the gradient's length, while the weights shrink
and the network does not learn well. Source: Krogh, Hertz 1991, A Simple Weight Decay Can Improve
Generalization.

Remedies: a hundredth of the decay. Silent on: decay under which the weights keep their length,
or the network learns well.
"""

from __future__ import annotations

import math

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.gradient_use import known_to_learn
from sevensteps.doctor.measures import (
    median,
    optimizer_name,
    significant,
    total_norm,
    weight_layers,
)

STEP = "step"
EXPLAINS = (
    "underfitting",
    "signal_vanishes",
    "dead_units",
    "vanishing_gradient",
    "learning_rate_too_low",
    "stopped_early",
    "too_small",
    "learning_rate_too_high",
    "class_imbalance",
    "symmetric_units",
)
PULL = 0.5  # of the gradient's
SHRUNK = 0.6  # of the weights' first length


def examine(case: Case) -> Finding | None:
    decay = max(
        (float(group.get("weight_decay", 0) or 0) for group in case.facts.groups), default=0.0
    )
    if decay <= 0 or case.before_training or len(case.looks) < 2 or known_to_learn(case, 0.75):
        return None
    layers = weight_layers(case)
    looks = [*case.looks, *([case.probe] if case.probe is not None else [])]
    pulls = [
        decay * total_norm(c.weight) / g
        for look in looks[1:]
        for _, name in layers
        if (c := look.changes.get(name)) is not None
        and c.gradient is not None
        and (g := total_norm(c.gradient)) > 0
    ]
    sizes = [
        math.sqrt(
            sum(
                total_norm(look.changes[name].weight) ** 2
                for _, name in layers
                if name in look.changes
            )
        )
        for look in looks
    ]
    shrunk = sizes[-1] / sizes[0] if sizes[0] > 0 else math.nan
    decoupled = optimizer_name(case) == "AdamW"
    strong = median(pulls) > PULL or (decoupled and (case.lr or 0) * decay * case.steps > 1)
    if not strong or not shrunk < SHRUNK:
        return None
    weaker = f"{decay / 100:.1g}"
    name = optimizer_name(case).lower()
    lr = case.lr or 0.1
    return Finding(
        "weight_decay_too_strong",
        STEP,
        "error",
        0.88,
        f"A weight decay of {decay:g} pulls the weights to 0 {median(pulls):.2g} times as hard as "
        "the loss pulls them elsewhere: they "
        f"shrank to {shrunk:.0%} of their initial norm, and the network forgets as fast as it "
        "learns.",
        [
            Measure(
                "pull of the decay against that of the gradient",
                significant(median(pulls)),
                f"below {PULL:g}",
                "weight_decay·|w| / |gradient|",
            ),
            Measure(
                "norm of the weights, end against start",
                significant(shrunk),
                "about 1 or more",
                "all weight matrices",
            ),
        ],
        [
            Remedy(
                {"step": f"{name}(lr={lr:g}, weight_decay={weaker})"}
                if name in ("sgd", "adam", "adamw")
                else {},
                "a gentle pull keeps weights from growing without need",
                f"a weight decay of {weaker} or less",
            )
        ],
        {},
        None,
    )
