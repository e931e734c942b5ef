"""Faults of each of the seven steps in small dense and convolutional networks, each with a twin
that learns: a file a step, and other data, networks and loops than in the cases that the doctor was
built on.

Their right answers were written without asking the doctor. Those of this folder are open: a third
of them, drawn by lot, was kept back until it was scored once, the right cause in 63 of 75 runs;
half of it was opened then, and the rest, with 31 of 38, on 2026-11-30, when its totals had been
seen several times and there were new ones to keep back. `KEPT_BACK` are those of `further`,
on other data sets, networks and optimizers, written by somebody who had read nothing of the doctor:
of them only totals are known.
All have a report of their own, `python -m benchmarks.doctor.step_faults`.
"""

from __future__ import annotations

import importlib

from benchmarks.doctor.cases.field_faults.pair import Pair
from benchmarks.doctor.loop import Case

STEPS = ("initialize", "predict", "loss", "gradient", "step", "repeat", "stop")
OPEN: dict[str, list[Pair]] = {
    step: importlib.import_module(f"{__name__}.{step}").PAIRS for step in STEPS
}
FURTHER: dict[str, list[Pair]] = {
    step: importlib.import_module(f"{__name__}.further.{step}").PAIRS for step in STEPS
}
FAMILIES = {step: [*OPEN[step], *FURTHER[step]] for step in STEPS}
PAIRS = [pair for pairs in FAMILIES.values() for pair in pairs]
KEPT_BACK = frozenset(pair.fault for pairs in FURTHER.values() for pair in pairs)
EXAM: dict[str, Case] = {
    case.name: case for pair in PAIRS for case in pair.cases(pair.fault in KEPT_BACK)
}
