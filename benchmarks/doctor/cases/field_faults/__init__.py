"""Faulty trainings as the field meets them, each with a twin that learns: a file a family.

They examine the doctor and did not build it: their right answers were written without asking it,
and what they do is proven by their scores. `OPEN` may be looked into; of the families in
`KEPT_BACK`, drawn by `random.Random(0)`, only totals are known. `random.Random(1)` drew three of
these to be opened: "cut_short", "gradients" and "samples_mixed". Thirteen were written later, by
somebody who had not read the doctor: those kept back but for "leaks", and four of them that
`random.Random(2)` drew to be opened: "as_fed", "built_wrong", "drowned" and "undefined". It also
drew "leaks", of the older ones, to be the one that stays kept back. They stand apart from the other
cases and have a report of their own, `python -m benchmarks.doctor.field_faults`.
"""

from __future__ import annotations

import importlib

from benchmarks.doctor.cases.field_faults.pair import Pair
from benchmarks.doctor.loop import Case

OPEN = (
    "as_fed",
    "built_wrong",
    "cut_short",
    "drowned",
    "endings",
    "feeding",
    "fine_tuning",
    "gradients",
    "input_ignored",
    "loss_arguments",
    "modes",
    "not_finite",
    "own_objectives",
    "padding",
    "samples_mixed",
    "several_terms",
    "undefined",
    "unregistered",
)
KEPT_BACK = (
    "leaks",
    "copied_answers",
    "cut_off",
    "deaf",
    "lengths",
    "loss_calls",
    "steps_lost",
    "wrong_axis",
    "signs",
    "switches",
)
FAMILIES: dict[str, list[Pair]] = {
    family: importlib.import_module(f"{__name__}.{family}").PAIRS for family in (*OPEN, *KEPT_BACK)
}
EXAM: dict[str, Case] = {
    case.name: case
    for family, pairs in FAMILIES.items()
    for pair in pairs
    for case in pair.cases(family in KEPT_BACK)
}
