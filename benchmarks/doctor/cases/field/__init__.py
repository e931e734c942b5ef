"""Healthy trainings as people write them, in many fields: a file a family.

On these a doctor stays silent. The families in `KEPT_BACK` were written by somebody who had read
nothing of the doctor, and were not looked into while it was mended: of them only the number of
alarms is known. Those in `OPEN` may be looked into; many of them were kept back before: 22, of
which 6 of 164 runs had been accused, were opened on 30 November 2026, and what was wrong in the
conditions was mended; fourteen more, with 2 of 118, on the same day, when there were new ones to
keep back.
"""

from __future__ import annotations

import dataclasses
import importlib

from benchmarks.doctor.loop import Case

OPEN = (
    "adversarial",
    "agents",
    "answers_read",
    "attention",
    "blocks",
    "conditional_gans",
    "contrastive",
    "control",
    "dense_outputs",
    "densities",
    "detection",
    "diffusion",
    "discrete_codes",
    "energy",
    "experts",
    "finding_objects",
    "fine_tuning",
    "flows_and_mixtures",
    "graph_tasks",
    "graphs",
    "labels",
    "language",
    "lighter_models",
    "loops_of_other_kinds",
    "made_weights",
    "memories",
    "meta_learning",
    "metric_learning",
    "numbers",
    "numerics",
    "objectives",
    "operators",
    "optimizers",
    "own_gradients",
    "own_steps",
    "parts_apart",
    "physics",
    "pictures_of_today",
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
    "small_gpts",
    "soft_targets",
    "speech",
    "survival",
    "table_networks",
    "tables",
    "time_series",
    "tokens",
    "translation",
    "transport",
    "unsure_answers",
    "updates",
    "whole_series",
    "without_labels",
)
KEPT_BACK = (
    "algorithms",
    "channels",
    "committees",
    "coordinates",
    "equilibria",
    "mechanics",
    "rewards",
    "rotations",
    "schedules",
    "spiking",
    "units_kept",
    "weak_labels",
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
