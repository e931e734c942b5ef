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
FAMILIES: dict[str, list[Case]] = {
    family: importlib.import_module(f"{__name__}.{family}").CASES for family in (*OPEN, *KEPT_BACK)
}
CASES: list[Case] = [case for cases in FAMILIES.values() for case in cases]
