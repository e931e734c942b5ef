"""This package, as its documentation shows it."""

from __future__ import annotations

from typing import Any

import sevensteps as ss
from benchmarks.doctor.loop import Setup
from benchmarks.doctor.peers import PeerFinding, Watching

PACKAGE = "sevensteps"
SETTINGS: dict[str, dict[str, Any]] = {"": {"budget": 0.02}, "every step": {"budget": 1.0}}


class Watch(Watching):
    def __init__(self, setup: Setup, budget: float) -> None:
        self.watch = ss.watch(setup.model, setup.optimizer, budget=budget)
        self.step = self.watch.step

    def __enter__(self) -> Watch:
        self.watch.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self.watch.__exit__(*raised)

    def diagnose(self, **data: Any) -> list[PeerFinding]:
        findings = self.watch.diagnose(**data).findings
        return [
            PeerFinding(f.condition, f.severity != "info", (f.condition,))
            for finding in findings
            for f in (finding, *finding.symptoms)
        ]
