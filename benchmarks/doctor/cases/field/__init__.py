"""Healthy trainings as people write them, in many fields: a file a family.

On these a doctor stays silent. The families in `KEPT_BACK` were written by somebody who had read
nothing of the doctor, and were not looked into while it was mended: of them only the number of
alarms is known. Those in `OPEN` may be looked into; many of them were kept back before: 22, of
which 6 of 164 runs had been accused, were opened on 30 November 2026, and what was wrong in the
conditions was mended; fourteen more, with 2 of 118, on the same day; twelve more, with 6 of 104, on
1 December 2026; ten that were written after that, with 0 of 60, later on that day, and ten more,
with 3 of 60, at its end. Of the first eight that are kept back, the three trainings that a first
run accused or could not watch have been looked into; five were added later on that day, and four
after these: "frozen_on_purpose", "harder_by_design", "losses_below_zero" and "single_samples".
"""

from __future__ import annotations

import dataclasses
import importlib

from benchmarks.doctor.loop import Case

OPEN = (
    "additive",
    "adversarial",
    "agents",
    "algorithms",
    "answers_read",
    "attention",
    "averaged_weights",
    "balanced_tasks",
    "bandits",
    "blocks",
    "causes",
    "cellular",
    "channels",
    "committees",
    "complex_numbers",
    "conditional_gans",
    "contrastive",
    "control",
    "coordinates",
    "counts_of_words",
    "dense_outputs",
    "densities",
    "detection",
    "diffusion",
    "discrete_codes",
    "energy",
    "equilibria",
    "experts",
    "factored_layers",
    "fair_shares",
    "finding_objects",
    "fine_tuning",
    "flows_and_mixtures",
    "graph_tasks",
    "graphs",
    "kernel_methods",
    "labels",
    "language",
    "lighter_models",
    "loops_of_other_kinds",
    "made_weights",
    "mechanics",
    "memories",
    "meta_learning",
    "metric_learning",
    "music",
    "next_pixels",
    "numbers",
    "numerics",
    "objectives",
    "odd_ones",
    "operators",
    "optimizers",
    "ordered_classes",
    "own_gradients",
    "own_steps",
    "parts_apart",
    "physics",
    "pictures_of_today",
    "point_processes",
    "policies",
    "precision",
    "private_training",
    "pupils",
    "quantiles",
    "ranks",
    "rare_and_faint",
    "recommending",
    "reconstruction",
    "recurrent",
    "reinforcement",
    "restrained",
    "rewards",
    "rotations",
    "rounds",
    "sampled_data",
    "schedules",
    "self_taught",
    "sets",
    "several_heads",
    "short_runs",
    "small_data",
    "small_gpts",
    "soft_targets",
    "soft_trees",
    "speech",
    "spiking",
    "survival",
    "table_networks",
    "tables",
    "tagging",
    "time_series",
    "tokens",
    "translation",
    "transport",
    "units_kept",
    "unrolled",
    "unsure_answers",
    "updates",
    "weak_labels",
    "whole_series",
    "without_labels",
)
KEPT_BACK: tuple[str, ...] = (
    "auctions",
    "board_games",
    "claims",
    "forgers",
    "formulas",
    "frozen_on_purpose",
    "harder_by_design",
    "hashed_text",
    "losses_below_zero",
    "noisy_measures",
    "older_ideas",
    "ported",
    "scribes",
    "sensors",
    "single_samples",
    "slow_starts",
    "weather",
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
