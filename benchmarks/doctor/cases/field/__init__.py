"""Healthy trainings as people write them, in many fields: a file a family.

On these a doctor stays silent. The families in `KEPT_BACK` were written by somebody who had read
nothing of the doctor, and were not looked into while it was mended: of them only the number of
alarms is known. Those in `OPEN` may be looked into; many of them were kept back before: the last
22, of which 6 of 164 runs had been accused, were opened on 30 November 2026, and what was wrong in
the conditions was mended.
"""

from __future__ import annotations

import dataclasses
import importlib

from benchmarks.doctor.loop import Case

OPEN = (
    "adversarial",
    "answers_read",
    "attention",
    "blocks",
    "contrastive",
    "control",
    "dense_outputs",
    "densities",
    "detection",
    "diffusion",
    "discrete_codes",
    "energy",
    "experts",
    "fine_tuning",
    "graphs",
    "labels",
    "language",
    "made_weights",
    "memories",
    "meta_learning",
    "metric_learning",
    "numbers",
    "numerics",
    "objectives",
    "optimizers",
    "own_gradients",
    "own_steps",
    "parts_apart",
    "physics",
    "point_processes",
    "policies",
    "precision",
    "quantiles",
    "ranks",
    "rare_and_faint",
    "recommending",
    "reconstruction",
    "recurrent",
    "reinforcement",
    "restrained",
    "rounds",
    "sampled_data",
    "self_taught",
    "sets",
    "several_heads",
    "short_runs",
    "small_data",
    "soft_targets",
    "speech",
    "survival",
    "tables",
    "time_series",
    "tokens",
    "translation",
    "transport",
    "updates",
)
KEPT_BACK = (
    "agents",
    "conditional_gans",
    "finding_objects",
    "flows_and_mixtures",
    "graph_tasks",
    "lighter_models",
    "loops_of_other_kinds",
    "operators",
    "pictures_of_today",
    "small_gpts",
    "table_networks",
    "unsure_answers",
    "whole_series",
    "without_labels",
)
CASES: list[Case] = []
FAMILIES: dict[str, list[Case]] = {}  # the healthy ones
for _family in (*OPEN, *KEPT_BACK):
    _cases: list[Case] = [
        dataclasses.replace(case, kept_back=_family in KEPT_BACK)
        for case in importlib.import_module(f"{__name__}.{_family}").CASES
    ]
    CASES += _cases
    FAMILIES[_family] = [case for case in _cases if case.kind == "healthy"]
