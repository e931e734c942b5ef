"""Faults of each of the seven steps in small dense, convolutional, recurrent and attentive
networks, each with a twin that learns: a file a step, and other data, networks and loops than in
the cases that the doctor was built on.

Their right answers were written without asking the doctor. The packages in `OPEN`, and the pairs of
this folder, may be looked into; of those in `HELD_OUT` only totals are known. A third of this
folder, drawn by lot, was kept back until it was scored once, the right cause in 63 of 75 runs; half
of it was opened then, and the rest, with 31 of 38, on 2026-11-30. `further` was opened on the same
day, when its totals, at last the right cause in 122 of 126 runs and 3 of 126 twins accused, had
been seen several times. `later`, written by somebody who had read nothing of the doctor, followed
on 2026-12-01 with the right cause in 150 of 178, and on the same day `by_hand`, by somebody else
who had read nothing of it, with 64 of 70. Of `blind`, written later by somebody who had read
nothing of the doctor, `random.Random(4)` drew three steps to be opened when the right cause had
been named in 85 of its 98 runs; the others followed with `unseen`, by somebody else who had read
nothing of it, when it was 45 of 49 in both. `fresh`, by somebody who had read nothing of the doctor
either, is held out.

All have a report of their own, `python -m benchmarks.doctor.step_faults`.
"""

from __future__ import annotations

import importlib

from benchmarks.doctor.cases.field_faults.pair import Pair
from benchmarks.doctor.loop import Case

STEPS = ("initialize", "predict", "loss", "gradient", "step", "repeat", "stop")
OPEN = ("further", "later", "by_hand", "blind", "unseen")
HELD_OUT: tuple[str, ...] = ("fresh",)
OPENED: dict[str, tuple[str, ...]] = {}  # steps of what was held out


def _pairs(package: str) -> dict[str, list[Pair]]:
    """The pairs of each step in a package."""
    return {step: importlib.import_module(f"{package}.{step}").PAIRS for step in STEPS}


_OPEN = [_pairs(package) for package in (__name__, *(f"{__name__}.{name}" for name in OPEN))]
_HELD_OUT = {name: _pairs(f"{__name__}.{name}") for name in HELD_OUT}
FAMILIES = {
    step: [pair for pairs in (*_OPEN, *_HELD_OUT.values()) for pair in pairs[step]]
    for step in STEPS
}
PAIRS = [pair for pairs in FAMILIES.values() for pair in pairs]
KEPT_BACK = frozenset(
    pair.fault
    for name, pairs in _HELD_OUT.items()
    for step in STEPS
    if step not in OPENED.get(name, ())
    for pair in pairs[step]
)
EXAM: dict[str, Case] = {
    case.name: case for pair in PAIRS for case in pair.cases(pair.fault in KEPT_BACK)
}
