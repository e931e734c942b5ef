"""Faults of each of the seven steps in small dense and convolutional networks, each with a twin
that learns: a file a step, and other data, networks and loops than in the cases that the doctor was
built on.

Their right answers were written without asking the doctor. A third of the pairs was drawn by
`random.Random(0)` before any was run, and kept back until it was scored once; half of it, drawn by
`random.Random(1)`, is open since then. Of `KEPT_BACK` only totals are known. They have a report of
their own, `python -m benchmarks.doctor.step_faults`.
"""

from __future__ import annotations

import importlib
import random

from benchmarks.doctor.cases.field_faults.pair import Pair
from benchmarks.doctor.loop import Case

STEPS = ("initialize", "predict", "loss", "gradient", "step", "repeat", "stop")
FAMILIES: dict[str, list[Pair]] = {
    step: importlib.import_module(f"{__name__}.{step}").PAIRS for step in STEPS
}
PAIRS = [pair for pairs in FAMILIES.values() for pair in pairs]
DRAWN = sorted(random.Random(0).sample(sorted(pair.fault for pair in PAIRS), len(PAIRS) // 3))
KEPT_BACK = frozenset(random.Random(1).sample(DRAWN, len(DRAWN) // 2))
EXAM: dict[str, Case] = {
    case.name: case for pair in PAIRS for case in pair.cases(pair.fault in KEPT_BACK)
}
