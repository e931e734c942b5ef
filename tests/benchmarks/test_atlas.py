"""The table of the rebuilt atlas counts what was said first."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.doctor import atlas
from benchmarks.doctor.cases.atlas import CASES


def outcome(name: str, *conditions: str) -> dict[str, Any]:
    findings = [{"condition": c, "severity": "warning"} for c in conditions]
    return {"name": f"atlas: {name}", "seed": 0, "findings": findings}


def test_the_first_warning_counts() -> None:
    lines = atlas.report(
        [
            outcome("healthy"),
            outcome("healthy", "overfitting"),
            outcome("sorted", "not_shuffled"),
            outcome("sorted", "inputs_unscaled", "not_shuffled"),
            {"name": "atlas: lr 1.5", "seed": 0, "failure": "ValueError"},
        ]
    )
    assert lines[2].startswith("2 of 5 runs are named rightly")
    assert "1 of 2 healthy ones are accused" in lines[2]
    assert "| sorted | 1 of 2 | not_shuffled 1, inputs_unscaled 1 |" in lines
    assert "| lr 1.5 | 0 of 1 | failed 1 |" in lines


@pytest.mark.draws
def test_each_scenario_trains() -> None:
    assert len(CASES) == 13
    for case in CASES.values():
        setup = case.setup(0)
        setup.loss_fn(setup.model(setup.train[0][:8]), setup.train[1][:8]).backward()
