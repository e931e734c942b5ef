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
    "detection",
    "diffusion",
    "graphs",
    "labels",
    "metric_learning",
    "numbers",
    "objectives",
    "optimizers",
    "parts_apart",
    "physics",
    "recommending",
    "reconstruction",
    "recurrent",
    "reinforcement",
    "restrained",
    "self_taught",
    "short_runs",
    "tokens",
    "translation",
    "updates",
)
KEPT_BACK = (
    "attention",
    "blocks",
    "contrastive",
    "control",
    "densities",
    "discrete_codes",
    "energy",
    "experts",
    "fine_tuning",
    "language",
    "meta_learning",
    "numerics",
    "policies",
    "precision",
    "sampled_data",
    "several_heads",
    "small_data",
    "soft_targets",
    "survival",
    "tables",
)
CASES: list[Case] = []
FAMILIES: dict[str, list[Case]] = {}  # the healthy ones
for _family in (*OPEN, *KEPT_BACK):
    _cases: list[Case] = importlib.import_module(f"{__name__}.{_family}").CASES
    CASES += _cases
    FAMILIES[_family] = [case for case in _cases if case.kind == "healthy"]
