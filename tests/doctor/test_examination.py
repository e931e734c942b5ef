"""An examination asks every condition, and rules out only what it does not report."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from sevensteps.doctor import examination
from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions import condition_names
from sevensteps.doctor.examination import Examination, examine
from sevensteps.doctor.finding import Finding, Measure
from sevensteps.observe.network_facts import facts_of_networks, network_facts
from sevensteps.observe.observation import Observation


def blank() -> Case:
    return Case(Observation(network_facts(nn.Sequential(nn.Flatten()))))


def finding(name: str, severity: str) -> Finding:
    return Finding(name, "step", severity, 0.9, "So.", [Measure("loss", math.inf, 1.0)])  # type: ignore[arg-type]


def test_looks_that_the_clock_has_thinned_out_are_said() -> None:
    case = blank()
    assert not any(what == "looks" for what, _ in examine(case).not_judged)
    case = blank()
    case.observation.notes["thinned"] = 40
    assert [what for what, _ in examine(case).not_judged].count("looks") == 1


def test_every_condition_is_asked_once_and_the_findings_are_ranked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    answers = {"dead_units": "info", "not_shuffled": "error", "overfitting": "warning"}

    class Condition:
        def __init__(self, name: str) -> None:
            self.name = name

        def examine(self, case: Case) -> Finding | None:
            asked.append(self.name)
            return finding(self.name, answers[self.name]) if self.name in answers else None

    monkeypatch.setattr(examination, "condition", Condition)
    monkeypatch.setattr(examination, "ranked", lambda findings: findings[::-1])
    found = examine(blank())
    assert asked == list(condition_names())
    assert [f.condition for f in found.findings] == [n for n in asked[::-1] if n in answers]


def test_nothing_is_found_where_nothing_was_observed() -> None:
    assert examine(blank()).findings == []


def test_what_is_reported_is_not_ruled_out_and_infinities_are_null() -> None:
    case = blank()
    case.ruled_out += [("dead_units", "few"), ("overfitting", "validated alike")]
    held = Examination([finding("dead_units", "error")], case)
    assert held.ruled_out == [("overfitting", "validated alike")]
    plain = held.to_dict()
    assert plain["ruled_out"] == [{"condition": "overfitting", "because": "validated alike"}]
    assert plain["findings"][0]["evidence"][0]["observed"] is None


def test_a_condition_that_raises_is_not_judged_and_takes_no_other_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Condition:
        def __init__(self, name: str) -> None:
            self.name = name

        def examine(self, case: Case) -> Finding | None:
            if self.name == "dead_units":
                raise IndexError("too many indices\n for this tensor")
            return finding(self.name, "error") if self.name == "not_shuffled" else None

    monkeypatch.setattr(examination, "condition", Condition)
    monkeypatch.setattr(examination, "ranked", lambda findings: findings)
    found = examine(blank())
    assert [f.condition for f in found.findings] == ["not_shuffled"]
    assert found.not_judged == [("dead_units", "IndexError: too many indices for this tensor")]
    assert found.to_dict()["not_judged"] == [
        {"what": "dead_units", "because": "IndexError: too many indices for this tensor"}
    ]


def test_what_was_not_judged_is_said_once() -> None:
    case = blank()
    case.not_judged += [("train", "of another shape"), ("train", "of another shape")]
    assert Examination([], case).not_judged == [("train", "of another shape")]


@pytest.mark.draws
def test_each_of_several_networks_is_examined_as_a_case_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    class Condition:
        def __init__(self, name: str) -> None:
            self.name = name

        def examine(self, case: Case) -> Finding | None:
            if self.name != "dead_units":
                return None
            assert case.several
            assert isinstance(case.network, nn.Linear)
            asked.append(case.network.extra_repr())
            return finding(self.name, "error" if case.network.in_features == 3 else "info")

    monkeypatch.setattr(examination, "condition", Condition)
    networks = {"G": nn.Linear(2, 1), "D": nn.Linear(3, 1)}
    observation = Observation(facts_of_networks(networks), networks=("G", "D"))
    case = Case(
        observation,
        None,
        networks=dict(networks),
        train=(torch.zeros(9, 2), torch.zeros(9, 1)),
        valid=(torch.zeros(9, 5), torch.zeros(9, 1)),
    )
    found = examine(case)
    assert len(asked) == 2
    assert [(f.severity, f.where["network"]) for f in found.findings] == [
        ("error", "D"),
        ("info", "G"),
    ]
    # G takes the training data, no network takes the validation data
    assert [what for what, _ in found.not_judged] == ["valid"]


def test_a_watch_that_failed_is_said() -> None:
    case = blank()
    case.observation.notes["failure"] = "TypeError: no rows"
    said = dict(examine(case).not_judged)
    assert said["what happens inside the network"] == "looking at it failed: TypeError: no rows"
