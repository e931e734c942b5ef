"""Faults of each of the seven steps in small dense, convolutional, recurrent and attentive
networks, each with a twin that learns: a file a step, and other data, networks and loops than in
the cases that the doctor was built on.

Their right answers were written without asking the doctor. Those of this folder, of `further` and
of `later` are open. A third of this folder, drawn by lot, was kept back until it was scored once,
the right cause in 63 of 75 runs; half of it was opened then, and the rest, with 31 of 38, on
2026-11-30. `further` was opened on the same day, when its totals, at last the right cause in 122 of
126 runs and 3 of 126 twins accused, had been seen several times and there were new pairs to keep
back. `later`, written by somebody who had read nothing of the doctor, followed on 2026-12-01 with
the right cause in 150 of 178. `held_out` was written by somebody else who had read nothing of the
doctor; `KEPT_BACK` names its pairs, of which only totals are known.

All have a report of their own, `python -m benchmarks.doctor.step_faults`.
"""

from __future__ import annotations

import importlib

from benchmarks.doctor.cases.field_faults.pair import Pair
from benchmarks.doctor.loop import Case

STEPS = ("initialize", "predict", "loss", "gradient", "step", "repeat", "stop")


def _pairs(folder: str) -> dict[str, list[Pair]]:
    """The pairs of each step in a package of this one, or in this one itself."""
    return {step: importlib.import_module(f"{__name__}{folder}.{step}").PAIRS for step in STEPS}


FURTHER, LATER = _pairs(".further"), _pairs(".later")
HELD_OUT = _pairs(".held_out")
FAMILIES = {
    step: [*pairs, *FURTHER[step], *LATER[step], *HELD_OUT[step]]
    for step, pairs in _pairs("").items()
}
PAIRS = [pair for pairs in FAMILIES.values() for pair in pairs]
KEPT_BACK = frozenset(pair.fault for pairs in HELD_OUT.values() for pair in pairs)
EXAM: dict[str, Case] = {
    case.name: case for pair in PAIRS for case in pair.cases(pair.fault in KEPT_BACK)
}
