"""What is fed: with other labels, with gaps, in other units."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from benchmarks.doctor.cases.field_faults.pair import Pair
from benchmarks.doctor.cases.step_faults.plan import Plan, adam, planned
from benchmarks.doctor.cases.step_faults.unseen import drawn


def sorted_apart(cured: bool) -> Plan:
    """Words are shuffled once, and their labels by another order."""
    (x, y), valid = drawn.letters()
    if not cured:
        y = y[torch.randperm(len(y))]
    return Plan(((x, y), valid), drawn.Reader(), F.cross_entropy, adam(5e-3), 14)


PAIRS: list[Pair] = [
    planned(
        "letters: words and labels in two orders",
        "letters: words and labels in one order",
        ("labels_unrelated",),
        sorted_apart,
        0.7,
        0.9,
    ),
]
