"""Steps that are too long, too short, or drawn to zero."""

from __future__ import annotations

import torch.nn.functional as F

from benchmarks.doctor.cases.field_faults.pair import Pair
from benchmarks.doctor.cases.step_faults.plan import Plan, adam, explained, planned, sgd
from benchmarks.doctor.cases.step_faults.unseen import drawn
from benchmarks.doctor.networks import dense


def long_steps(cured: bool) -> Plan:
    """Adam with a rate of 0.5."""
    return Plan(drawn.shapes(), drawn.Eye(), F.cross_entropy, adam(5e-3 if cured else 0.5), 12)


def short_steps(cured: bool) -> Plan:
    """The rate of an Adam, a hundredth of it, and no momentum."""
    optimizer = sgd(0.2, momentum=0.9) if cured else sgd(1e-4)
    return Plan(drawn.beats(), drawn.Ear(), F.cross_entropy, optimizer, 14)


def drawn_to_zero(cured: bool) -> Plan:
    """A weight decay of 0.3 in the gradient."""
    optimizer = sgd(0.05, momentum=0.9, weight_decay=1e-5 if cured else 0.3)
    model = dense(4, 48, 48, 1)
    return Plan(drawn.surface(), model, F.mse_loss, optimizer, 25, score=explained)


PAIRS: list[Pair] = [
    planned(
        "shapes: steps of 0.5 by Adam",
        "shapes: steps of 0.005 by Adam",
        ("learning_rate_too_high",),
        long_steps,
        0.6,
        0.9,
    ),
    planned(
        "beats: a ten-thousandth of the gradient",
        "beats: a fifth of the gradient",
        ("learning_rate_too_low",),
        short_steps,
        0.6,
        0.9,
    ),
    planned(
        "surface: a weight decay of 0.3",
        "surface: a weight decay that hardly draws",
        ("weight_decay_too_strong",),
        drawn_to_zero,
        0.3,
        0.85,
    ),
]
