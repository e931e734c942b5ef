"""Causes before symptoms: every finding is kept, in one place, in order, whatever explains what."""

from __future__ import annotations

from itertools import combinations
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevensteps.doctor import ranking
from sevensteps.doctor.conditions import condition, condition_names
from sevensteps.doctor.finding import SEVERITIES, Finding, Severity
from sevensteps.doctor.ranking import ranked

NAMES = ("a", "b", "c", "d", "e")


def found(
    name: str, severity: Severity = "error", confidence: float = 0.9, onset: int | None = None
) -> Finding:
    return Finding(name, "step", severity, confidence, "It is so.", [], onset=onset)


def tree(findings: list[Finding]) -> list[object]:
    """Names in order, symptoms as a list behind their cause: `["a", ["b"]]`."""
    said: list[object] = []
    for finding in findings:
        said += [finding.condition, *([tree(finding.symptoms)] if finding.symptoms else [])]
    return said


def flat(findings: list[Finding]) -> list[str]:
    return [name for finding in findings for name in (finding.condition, *flat(finding.symptoms))]


@pytest.fixture
def explains(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, ...]]:
    """Conditions a to e, in this order, which explain what is entered here."""
    table: dict[str, tuple[str, ...]] = {}
    monkeypatch.setattr(ranking, "condition_names", lambda: NAMES)
    monkeypatch.setattr(
        ranking, "condition", lambda name: SimpleNamespace(EXPLAINS=table.get(name, ()))
    )
    return table


def test_nothing_found_is_nothing_ranked() -> None:
    assert ranked([]) == []


def test_graver_then_surer_then_earlier_then_in_the_order_of_the_steps(
    explains: dict[str, tuple[str, ...]],
) -> None:
    assert flat(
        ranked([found("a", "info", 1.0), found("b", "warning", 0.2), found("c", "error", 0.1)])
    ) == ["c", "b", "a"]
    assert flat(
        ranked([found("a", confidence=0.5), found("b", confidence=0.9), found("c", confidence=0.7)])
    ) == ["b", "c", "a"]
    assert flat(ranked([found("a", onset=30), found("b", onset=2), found("c", onset=7)])) == [
        "b",
        "c",
        "a",
    ]
    assert flat(ranked([found("c"), found("a"), found("b")])) == ["a", "b", "c"]
    # .91 and .93 are as sure as each other: then it counts which began first
    assert flat(
        ranked([found("a", confidence=0.93, onset=30), found("b", confidence=0.91, onset=2)])
    ) == ["b", "a"]


def test_a_symptom_is_folded_under_its_cause_and_its_own_symptoms_under_it(
    explains: dict[str, tuple[str, ...]],
) -> None:
    explains |= {"d": ("a", "b"), "b": ("c",)}
    assert tree(ranked([found(name) for name in "abcd"])) == ["d", ["a", "b", ["c"]]]
    assert tree(ranked([found(name) for name in "abc"])) == ["a", "b", ["c"]]


def test_of_several_causes_the_gravest_has_the_symptom(
    explains: dict[str, tuple[str, ...]],
) -> None:
    explains |= {"a": ("c",), "b": ("c",)}
    assert tree(ranked([found("a", "warning"), found("b", "error"), found("c", "warning")])) == [
        "b",
        ["c"],
        "a",
    ]


def test_what_cannot_be_the_cause(explains: dict[str, tuple[str, ...]]) -> None:
    explains["a"] = ("b",)
    assert tree(ranked([found("a"), found("b")])) == ["a", ["b"]]
    assert tree(ranked([found("a", onset=9), found("b", onset=3)])) == ["b", "a"]  # it began later
    assert tree(ranked([found("a", onset=None), found("b", onset=3)])) == ["a", ["b"]]
    # it is a guess itself
    assert tree(ranked([found("a", confidence=0.4), found("b")])) == [
        "b",
        "a",
    ]
    # it is a mere remark
    assert tree(ranked([found("a", "info"), found("b", "error")])) == [
        "b",
        "a",
    ]
    assert tree(ranked([found("a", "warning"), found("b", "error")])) == ["a", ["b"]]


def test_two_that_explain_each_other_both_stand(explains: dict[str, tuple[str, ...]]) -> None:
    explains |= {"a": ("b",), "b": ("a",)}
    assert tree(ranked([found("a", confidence=0.7), found("b")])) == ["b", "a"]


def test_what_a_finding_explains_by_itself_is_folded_under_it(
    explains: dict[str, tuple[str, ...]],
) -> None:
    explains["a"] = ("b",)
    cause = found("b", "warning", 0.7)
    cause.where = {"explains": ["a"], "apart_from": ["a"]}
    assert tree(ranked([found("a"), cause])) == ["b", ["a"]]


def test_of_a_circle_the_gravest_stays_on_top(explains: dict[str, tuple[str, ...]]) -> None:
    explains |= {"a": ("b",), "b": ("c",), "c": ("a",)}
    assert tree(ranked([found("a"), found("b"), found("c")])) == ["a", ["b", ["c"]]]
    assert tree(ranked([found("a", "warning"), found("b"), found("c", "warning")])) == [
        "b",
        ["c", ["a"]],
    ]
    assert tree(ranked([found(name) for name in "abcd"])) == ["a", ["b", ["c"]], "d"]


@given(
    table=st.fixed_dictionaries({name: st.sets(st.sampled_from(NAMES)) for name in NAMES}),
    kinds=st.lists(
        st.tuples(
            st.sampled_from(SEVERITIES),
            st.sampled_from([0.3, 0.6, 0.9]),
            st.sampled_from([None, 0, 5]),
        ),
        min_size=len(NAMES),
        max_size=len(NAMES),
    ),
)
def test_no_finding_is_lost_or_said_twice(
    table: dict[str, set[str]], kinds: list[tuple[Severity, float, int | None]]
) -> None:
    findings = [found(name, *kind) for name, kind in zip(NAMES, kinds, strict=True)]

    def justified(finding: Finding) -> bool:
        return all(
            symptom.condition in table[finding.condition] and justified(symptom)
            for symptom in finding.symptoms
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "condition_names", lambda: NAMES)
        patch.setattr(
            ranking, "condition", lambda name: SimpleNamespace(EXPLAINS=tuple(table[name]))
        )
        top = ranked(findings)
    assert sorted(flat(top)) == sorted(NAMES)
    assert all(map(justified, top))
    severities = [SEVERITIES.index(finding.severity) for finding in top]
    assert severities == sorted(severities, reverse=True)


def test_whichever_conditions_come_together_each_is_said_once() -> None:
    """The vocabulary itself has circles: a rate that is too high ends in NaN, NaN spoils the
    statistics of batch norm, …
    """
    every = {
        name: Finding(name, condition(name).STEP, "error", 0.9, "It is so.", [])
        for name in condition_names()
    }
    for names in (condition_names(), *combinations(condition_names(), 3)):
        for finding in every.values():
            finding.symptoms = []
        assert sorted(flat(ranked([every[name] for name in names]))) == sorted(names)
