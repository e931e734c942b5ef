"""weight_decay_too_strong: decay pulls the weights to 0 harder than the loss pulls them anywhere.

Measured: the two pulls, weight_decay · |w| against the gradient's length, while the weights shrink
and the network does not learn well; tables of vectors are weights where there are no others. Of a
penalty in the loss: that the weights are next to nothing of what they were, nearly all of the loss
was the penalty at the start, and the network is no better than one answer. Source: Krogh, Hertz
1991, A Simple Weight Decay Can Improve Generalization.

Remedies: a hundredth of the decay, or of the penalty's weight. Silent on: decay under which the
weights keep their length, or the network learns well.
"""

from __future__ import annotations

import math

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.gradient_use import known_to_learn
from sevensteps.doctor.loss_purpose import purpose_of
from sevensteps.doctor.measures import (
    median,
    optimizer_name,
    significant,
    total_norm,
    weight_layers,
)
from sevensteps.observe.look import Look

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
    "representation_collapsed",
)
PULL = 0.5  # of the gradient's
STRONG = 0.05  # a decay that is meant to be no such; usual ones are .01 at most
SHRUNK = 0.6  # of the weights' first length
NOTHING = 0.1  # of it, that a penalty leaves
CHANCE = 0.1  # skill
STAYS = 0.5  # of the error at the start, where the skill is not known
MORE = 2.0  # times the error, at the start, of a penalty


def examine(case: Case) -> Finding | None:
    decay = max(
        (float(group.get("weight_decay", 0) or 0) for group in case.facts.groups), default=0.0
    )
    if case.before_training or len(case.looks) < 2 or known_to_learn(case, 0.75):
        return None
    if decay <= 0:
        return _by_penalty(case)
    names = _weights(case)
    looks = _looks(case)
    pulls = [
        decay * total_norm(c.weight) / g
        for look in looks[1:]
        for name in names
        if (c := look.changes.get(name)) is not None
        and c.gradient is not None
        and (g := total_norm(c.gradient)) > 0
    ]
    sizes = _lengths(looks, names)
    shrunk = sizes[-1] / sizes[0] if sizes[0] > 0 else math.nan
    decoupled = optimizer_name(case) == "AdamW"
    takes_all = decoupled and (case.lr or 0) * decay * case.steps > 1
    if not (takes_all or median(pulls) > PULL) or not shrunk < SHRUNK:
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
        # as strong a decay is none beside gradients of any inputs
        {"apart_from": ["inputs_unscaled"]} if takes_all or decay >= STRONG else {},
        None,
    )


def _weights(case: Case) -> list[str]:
    """The names of the weight matrices; where there are none, of the tables of vectors."""
    return [name for _, name in weight_layers(case)] or [
        name for name, p in case.facts.parameters.items() if p.trained and len(p.shape) > 1
    ]


def _looks(case: Case) -> list[Look]:
    return [*case.looks, *([case.probe] if case.probe is not None else [])]


def _lengths(looks: list[Look], names: list[str]) -> list[float]:
    """The length of all these weights together, in each look."""
    return [
        math.hypot(
            *(total_norm(look.changes[name].weight) for name in names if name in look.changes)
        )
        for look in looks
    ]


def _by_penalty(case: Case) -> Finding | None:
    """A penalty of the weights that is a term of the loss, and leaves nothing of them."""
    shares = [share for look in case.looks if (share := _penalty(look)) is not None]
    if len(shares) < max(len(case.looks), 4):
        return None
    first, ends = shares[0], shares[-(len(shares) // 4) :]
    last = median([error for error, _ in ends]), median([rest for _, rest in ends])
    if first[1] < MORE * first[0]:
        return None
    if case.skill is None and last[0] < STAYS * first[0]:
        return None
    if case.skill is not None and case.skill >= CHANCE:
        return None
    lengths = _lengths(_looks(case), _weights(case))
    shrunk = lengths[-1] / lengths[0] if lengths[0] > 0 else math.nan
    if not (shrunk < NOTHING and last[1] < NOTHING * first[1]):
        return None
    weaker = f"{significant(0.01 * first[0] / first[1], 1):g}"
    return Finding(
        "weight_decay_too_strong",
        STEP,
        "error",
        0.88,
        f"A penalty of the weights was {first[1]:.3g} of the loss at the start, beside an error of "
        f"{first[0]:.3g}, and pulled them to 0: they shrank to {significant(100 * shrunk, 2):g} % "
        f"of their initial norm. The error is {last[0]:.3g}, and the network no better than one "
        "answer for all inputs.",
        [
            Measure(
                "norm of the weights, end against start",
                significant(shrunk),
                "about 1 or more",
                "all weight matrices",
            ),
            Measure(
                "penalty at the start, times the error",
                significant(first[1] / first[0], 2),
                "below 0.1",
                "loss less the error's term",
            ),
        ],
        [
            Remedy(
                {},
                "a gentle pull keeps weights from growing without need",
                f"weigh the penalty by about {weaker} of what it is",
            )
        ],
        {},
        None,
    )


def _penalty(look: Look) -> tuple[float, float] | None:
    """What the errors are in the loss, and what a penalty of the weights adds; None where there is
    none, or anything else.
    """
    errors = [term for term in look.loss_terms if term.name != "penalty"]
    added = [term.contribution for term in errors if purpose_of(term) == "error"]
    if not errors or len(added) < len(errors) or len(errors) == len(look.loss_terms):
        return None
    known = [one for one in added if one is not None]
    if len(known) < len(added) or len({term.total for term in look.loss_terms}) > 1:
        return None
    error = math.fsum(known)
    return (error, look.loss - error) if error > 0 else None
