"""Healthy trainings as people write them, in many fields: a file a family.

On these a doctor stays silent. The families in `KEPT_BACK` were not looked into while the doctor
was written: of them only the number of alarms is known.
"""

from __future__ import annotations

import importlib

from benchmarks.doctor.loop import Case

OPEN = (
    "adversarial",
    "dense_outputs",
    "labels",
    "metric_learning",
    "numbers",
    "optimizers",
    "reconstruction",
    "recurrent",
    "reinforcement",
    "tokens",
)
KEPT_BACK = (
    "attention",
    "blocks",
    "contrastive",
    "densities",
    "fine_tuning",
    "policies",
    "precision",
    "several_heads",
    "small_data",
    "soft_targets",
    "tables",
)
CASES: list[Case] = [
    case
    for family in (*OPEN, *KEPT_BACK)
    for case in importlib.import_module(f"{__name__}.{family}").CASES
]
