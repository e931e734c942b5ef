"""The cost of watching: the arithmetic on made-up rounds, and that each network trains."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.doctor.cost import OURS, loop, report
from benchmarks.doctor.cost_loops import LOOPS
from benchmarks.doctor.peers import tools


def rounds(*costs: float) -> list[dict[str, Any]]:
    return [
        {
            "steps": 9,
            "alone": [1.0, 1.1, 1.0],
            OURS: {"cost": c, "judging": 0.1, "share": 0.25},
            "other": {"cost": 10 * c, "judging": 0.0, "share": None},
        }
        for c in costs
    ]


def in_train(cost: float) -> list[dict[str, Any]]:
    return [
        {
            "epochs": 2,
            "alone": [1.0, 1.0],
            **{watch: {"cost": cost, "call": 2 * cost, "once": 0.5} for watch in ("0.02", "1.0")},
        }
    ]


def test_the_cost_is_the_median_of_the_rounds_and_is_held_to_its_target() -> None:
    text = "\n".join(report({"small": rounds(0.01, 0.02, 0.4)}, {"small": in_train(0.1)}, 1, "0.0"))
    assert f"| {OURS} | +2.0 % (+1.0 to +40.0) met | 0.10 | 25.0 % |" in text
    assert "| other | +20.0 % (+10.0 to +400.0) | 0.00 |  |" in text
    assert "| watch=0.02 | +10.0 % **missed** |  |" in text
    assert "| watch=0.02, the whole call | +20.0 % | 0.50 |" in text
    assert "| watch=1 | +10.0 % met |  |" in text
    assert "2 of 3 targets met" in text


@pytest.mark.draws
@pytest.mark.parametrize("name", LOOPS)
def test_every_network_trains(name: str) -> None:
    seconds, _, share = loop(LOOPS[name], 2, None)
    assert seconds > 0
    assert share is None


@pytest.mark.draws
def test_every_step_is_looked_at_if_asked() -> None:
    assert loop(LOOPS["plain MLP"], 3, tools()[f"{OURS}, every step"].watch)[2] == 1
