"""Faults of the seven steps: a part is kept back, and without the doctor each fault fails and each
twin learns.
"""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.doctor.cases.field_faults.pair import Pair
from benchmarks.doctor.cases.step_faults import (
    EXAM,
    FAMILIES,
    HELD_OUT,
    KEPT_BACK,
    OPENED,
    PAIRS,
    STEPS,
)
from benchmarks.doctor.step_faults import EXAMINATION
from sevensteps.doctor.conditions import BY_STEP

CHEAP = ("wine: maximized", "friedman: [B] against [B, 1]", "iris: zeros, tanh", "digits: sorted")
pytestmark = [pytest.mark.draws, pytest.mark.filterwarnings("ignore::UserWarning")]


def fails_and_learns(pair: Pair, seed: int) -> None:
    assert pair.score(False, seed) <= pair.fails
    assert pair.score(True, seed) >= pair.learns


def test_the_held_out_pairs_are_kept_back_and_no_others() -> None:
    assert tuple(BY_STEP) == tuple(FAMILIES) == STEPS
    for step, pairs in FAMILIES.items():
        kept = sum(pair.fault in KEPT_BACK for pair in pairs)
        opened = sum(step in steps for steps in OPENED.values())
        assert opened < len(HELD_OUT)
        assert (3 if opened else 4) <= kept < len(pairs)
    assert len(EXAM) == 2 * len(PAIRS) == 2 * sum(map(len, FAMILIES.values()))
    for case in EXAM.values():
        if case.kind == "faulty":
            assert case.kept_back == (case.name.removeprefix("fault: ") in KEPT_BACK)
            assert EXAM[case.twin].kept_back == case.kept_back


def test_right_answers_are_conditions_that_there_are() -> None:
    known = {condition for conditions in BY_STEP.values() for condition in conditions}
    for pair in PAIRS:
        assert pair.conditions
        assert set(pair.conditions) <= known, pair.fault


@pytest.mark.parametrize("pair", [p for p in PAIRS if p.fault in CHEAP], ids=lambda p: p.fault)
@pytest.mark.sampled(1)
def test_a_fault_fails_and_its_twin_learns(pair: Pair) -> None:
    fails_and_learns(pair, 0)


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.fault)
def test_each_fault_fails_and_each_twin_learns(pair: Pair) -> None:
    fails_and_learns(pair, 0)


def test_pairs_of_one_family_are_in_either_half() -> None:
    """Of what is kept back nothing but totals is to be seen, of the others each row."""
    pair = next(p for p in PAIRS if p.fault in KEPT_BACK)
    other = next(p for p in FAMILIES["stop"] if p.fault not in KEPT_BACK)
    verdict: dict[str, Any] = {
        "score": -1.0,
        "seed": 0,
        "warned": False,
        "found": False,
        "first": False,
    }
    verdict["stated"] = [(0.93, True), (0.95, False), (0.65, True)]
    lines = EXAMINATION.report(
        {(p.names[0], 0): {"name": p.names[0], **verdict} for p in (pair, other)}, 1
    )
    assert "| kept back | 1 | 0 (0.0 %) | 0 (0.0 %) | 1 (100.0 %) | 0 | 0 (0.0 %) | 0 |" in lines
    assert any(other.fault in line for line in lines)
    assert "| kept back | 0.9 | 1 of 2 (50 %) |" in lines
    assert "| open | 0.6 | 1 of 1 (100 %) |" in lines
    assert not any(pair.fault in line for line in lines)
