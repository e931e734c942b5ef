"""Faulty trainings from the field: without the doctor, each fault fails and each twin learns; and
the report on what the doctor says of them.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from benchmarks.doctor import examination, field_faults
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
# what PyTorch warns of is part of a fault
pytestmark = [pytest.mark.draws, pytest.mark.filterwarnings("ignore::UserWarning")]


def fails_and_learns(pair: Pair, seed: int) -> None:
    assert pair.score(False, seed) <= pair.fails
    assert pair.score(True, seed) >= pair.learns


def test_each_family_has_four_faults_with_their_twins() -> None:
    assert set(FAMILIES) == {*OPEN, *KEPT_BACK}
    assert set(OPEN).isdisjoint(KEPT_BACK)
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
@pytest.mark.sampled(1)
def test_a_fault_fails_and_its_twin_learns(pair: Pair) -> None:
    fails_and_learns(pair, 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.fault)
def test_each_fault_fails_and_each_twin_learns(pair: Pair, seed: int) -> None:
    fails_and_learns(pair, seed)


def outcome(name: str, score: float, *conditions: str, right: str = "") -> dict[str, Any]:
    return {
        "name": name,
        "seed": 0,
        "score": score,
        "warned": bool(conditions),
        "found": right in conditions,
        "first": conditions[:1] == (right,),
        "conditions": conditions,
    }


def keep_back(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a family kept back, whichever are."""
    for name in {name for pair in FAMILIES[family] for name in pair.names}:
        monkeypatch.setitem(EXAM, name, dataclasses.replace(EXAM[name], kept_back=True))


def test_runs_are_counted_in_their_half(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_back("leaks", monkeypatch)
    ours, theirs = FAMILIES["padding"][0], FAMILIES["leaks"][0]
    fault, cure = ours.names
    kept_fault, kept_cure = theirs.names
    right, theirs_right = ours.conditions[0], theirs.conditions[0]
    lines = field_faults.EXAMINATION.report(
        {
            (fault, 0): outcome(fault, ours.fails, "dead_units", right, right=right),
            (fault, 1): outcome(fault, ours.fails, right, right=right),
            (fault, 2): outcome(fault, ours.fails, right=right),
            (fault, 3): outcome(fault, ours.learns, "dead_units", right=right),  # does not show
            (fault, 4): {"name": fault, "seed": 4, "failure": "ValueError: no"},
            (cure, 0): outcome(cure, ours.learns, "loss_sign"),
            (cure, 1): outcome(cure, ours.learns),
            (cure, 2): outcome(cure, ours.fails, "ill_conditioned"),  # did not learn
            (kept_fault, 0): outcome(kept_fault, theirs.fails, "not_finite", right=theirs_right),
            (kept_cure, 0): {"name": kept_cure, "seed": 0, "failure": "KeyError"},
        },
        5,
    )
    cells = "4 | 2 (50.0 %) | 1 (25.0 %) | 1 (25.0 %) | 2 | 1 (50.0 %) | 1 |"
    assert f"| open | {cells}" in lines
    assert "| kept back | 1 | 0 (0.0 %) | 0 (0.0 %) | 0 (0.0 %) | 1 | 0 (0.0 %) | 1 |" in lines
    assert any("2 runs are left out" in line for line in lines)
    assert f"| {fault} | 4 | ValueError: no |" in lines
    assert f"| {fault} | 0 | {ours.fails:.3f} | {right} | nothing |" in lines
    assert f"| {cure} | 0 | {ours.learns:.3f} | loss_sign |" in lines
    assert "| padding | 4 | 2 | 1 | 1 | 2 | 1 | 1 |" in lines
    # of the families that are kept back nothing but totals is to be seen
    hidden = ("not_finite", "KeyError", theirs.fault, theirs.cure, "leaks")
    assert not any(word in line for word in hidden for line in lines)


@pytest.mark.parametrize("kept_back", [False, True])
def test_what_is_said_of_a_family_that_is_kept_back_is_not_stored(
    kept_back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_back("leaks", monkeypatch)
    name = FAMILIES["leaks" if kept_back else "padding"][0].names[0]
    right = EXAM[name].conditions[0]
    findings = [
        {"condition": "ill_conditioned", "severity": "info", "confidence": 0.5},
        {"condition": "dead_units", "severity": "warning", "confidence": 0.9},
        {"condition": right, "severity": "error", "confidence": 0.7},
    ]
    verdict: dict[str, Any] = {"name": name, "seed": 0, "score": 0.1, "warned": True}
    verdict |= {"found": True, "first": False}
    verdict["stated"] = [(0.9, False), (0.7, True)]
    ran = {"name": name, "seed": 0, "score": 0.1, "findings": findings}
    monkeypatch.setattr(examination, "run", lambda case, seed: ran)
    named = {} if kept_back else {"conditions": ["dead_units", right]}
    assert field_faults.EXAMINATION.examine(name, 0) == {**verdict, **named}
    failed = {"name": name, "seed": 0, "failure": "KeyError: attention"}
    monkeypatch.setattr(examination, "run", lambda case, seed: failed)
    assert ("attention" in field_faults.EXAMINATION.examine(name, 0)["failure"]) != kept_back
