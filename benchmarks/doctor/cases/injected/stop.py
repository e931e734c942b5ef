"""Trainings that end too early."""

from __future__ import annotations

from benchmarks.doctor.cases.injected.fault import Fault

FAULTS = [
    Fault(
        "stopped after 3 %",
        ("stopped_early", "underfitting"),
        lambda injection: injection.shorten(0.03),
    )
]
