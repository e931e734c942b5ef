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
    turns = {
        "plain": {"small": rounds(0.01, 0.02, 0.4)},
        "long": {"small": rounds(0.001)},
        "trained": {"small": in_train(0.1)},
    }
    text = "\n".join(report(turns, 1.0, 4.0, "0.0"))
    assert f"| {OURS} | +2.0 % (+1.0 to +40.0) met | 0.10 | 25.0 % |" in text
    assert "| other | +20.0 % (+10.0 to +400.0) | 0.00 |  |" in text
    assert "| watch=0.02 | +10.0 % **missed** |  |" in text
    assert "| watch=0.02, the whole call | +20.0 % | 0.50 |" in text
    assert "| watch=1 | +10.0 % met |  |" in text
    assert f"| {OURS} | +0.1 % met | 0.10 | 25.0 % |" in text
    assert "3 of 4 targets met" in text


def test_what_was_not_measured_has_no_table() -> None:
    text = "\n".join(
        report({"plain": {}, "long": {"small": rounds(0.01)}, "trained": {}}, 1, 4, "")
    )
    assert [line for line in text.split("\n") if line.startswith("## ")] == [
        "## In a plain PyTorch loop of 4 seconds"
    ]


@pytest.mark.draws
@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.sampled(2)
def test_every_network_trains(name: str) -> None:
    seconds, _, share = loop(LOOPS[name], 2, None)
    assert seconds > 0
    assert share is None


@pytest.mark.draws
@pytest.mark.long
def test_every_step_is_looked_at_if_asked() -> None:
    assert loop(LOOPS["plain MLP"], 3, tools()[f"{OURS}, every step"].watch)[2] == 1
