"""Healthy trainings as people write them, in many fields: a file a family.

On these a doctor stays silent. The families in `KEPT_BACK` were not looked into while the doctor
was written: of them only the number of alarms is known.
Ten of them, drawn by `random.Random(1).sample(sorted(KEPT_BACK), 10)`, were opened later and the
doctor mended on what was found there: contrastive, control, densities, experts, fine_tuning,
meta_learning, policies, precision, sampled_data, survival. Those after `tables` were written by
somebody who had not read the doctor.
"""

from __future__ import annotations

import importlib

from benchmarks.doctor.loop import Case

OPEN = (
    "adversarial",
    "answers_read",
    "contrastive",
    "control",
    "dense_outputs",
    "densities",
    "detection",
    "diffusion",
    "experts",
    "fine_tuning",
    "graphs",
    "labels",
    "meta_learning",
    "metric_learning",
    "numbers",
    "objectives",
    "optimizers",
    "parts_apart",
    "physics",
    "policies",
    "precision",
    "rare_and_faint",
    "recommending",
    "reconstruction",
    "recurrent",
    "reinforcement",
    "restrained",
    "sampled_data",
    "self_taught",
    "short_runs",
    "survival",
    "tokens",
    "translation",
    "updates",
)
KEPT_BACK = (
    "attention",
    "blocks",
    "discrete_codes",
    "energy",
    "language",
    "numerics",
    "several_heads",
    "small_data",
    "soft_targets",
    "tables",
    "made_weights",
    "own_gradients",
    "own_steps",
    "point_processes",
    "quantiles",
    "ranks",
    "speech",
    "transport",
    "memories",
    "rounds",
    "sets",
    "time_series",
)
CASES: list[Case] = []
FAMILIES: dict[str, list[Case]] = {}  # the healthy ones
for _family in (*OPEN, *KEPT_BACK):
    _cases: list[Case] = importlib.import_module(f"{__name__}.{_family}").CASES
    CASES += _cases
    FAMILIES[_family] = [case for case in _cases if case.kind == "healthy"]
