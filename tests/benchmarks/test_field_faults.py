"""Faulty trainings from the field: without the doctor, each fault fails and each twin learns."""

from __future__ import annotations

import pytest

from benchmarks.doctor.cases.field_faults import EXAM, FAMILIES, KEPT_BACK, OPEN
from benchmarks.doctor.cases.field_faults.pair import Pair
from sevensteps.doctor.conditions import BY_STEP

PAIRS = [pair for pairs in FAMILIES.values() for pair in pairs]
CHEAP = (
    "language model that learns to pad",
    "groups folded in one order and out in another",
    "a difference from the sum of two vectors",
    "pixels divided as whole numbers",
)
NAMED_BUT_NOT_BUILT = {  # conditions of the contract that the doctor may not know yet
    "input_not_used",
    "inputs_scrambled",
    "order_blind",
    "padding_in_loss",
    "padding_read",
    "representation_collapsed",
    "samples_mixed",
    "target_in_input",
}
pytestmark = pytest.mark.draws


def fails_and_learns(pair: Pair, seed: int) -> None:
    assert pair.score(False, seed) <= pair.fails
    assert pair.score(True, seed) >= pair.learns


def test_each_family_has_four_faults_with_their_twins() -> None:
    assert not set(OPEN) & set(KEPT_BACK)
    assert abs(len(OPEN) - len(KEPT_BACK)) <= 1
    assert all(len(pairs) >= 4 for pairs in FAMILIES.values())
    assert len(EXAM) == 2 * len(PAIRS)  # no two of one name
    for case in EXAM.values():
        if case.kind == "faulty":
            assert EXAM[case.twin].kind == "cured"
            assert EXAM[case.twin].kept_back == case.kept_back


def test_right_answers_are_conditions_that_there_are() -> None:
    known = {condition for conditions in BY_STEP.values() for condition in conditions}
    known |= NAMED_BUT_NOT_BUILT
    for pair in PAIRS:
        assert pair.conditions
        assert set(pair.conditions) <= known, pair.fault


@pytest.mark.parametrize("pair", [p for p in PAIRS if p.fault in CHEAP], ids=lambda p: p.fault)
def test_a_fault_fails_and_its_twin_learns(pair: Pair) -> None:
    fails_and_learns(pair, 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.fault)
def test_each_fault_fails_and_each_twin_learns(pair: Pair, seed: int) -> None:
    fails_and_learns(pair, seed)
