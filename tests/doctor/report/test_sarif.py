"""A diagnosis as SARIF 2.1.0, with what the standard requires."""

from __future__ import annotations

import sevensteps
from sevensteps.doctor.conditions import BY_STEP
from tests.doctor.report.findings import FINDINGS, diagnosis, flat, strict


def test_sarif_has_what_the_standard_requires() -> None:
    """SARIF 2.1.0, sections 3.13 (log), 3.18 and 3.19 (tool), 3.27 (result), 3.33 (logical
    location), 3.49 (rule).
    """
    held = strict(diagnosis(FINDINGS).to_sarif())
    assert set(held) == {"$schema", "version", "runs"}
    assert held["version"] == "2.1.0"
    assert held["$schema"].endswith("sarif-2.1.0.json")
    (run,) = held["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("sevensteps", sevensteps.__version__)
    assert len({rule["id"] for rule in driver["rules"]}) == len(driver["rules"])
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"].strip()
        assert rule["id"] in BY_STEP[rule["properties"]["step"]]
    assert [result["ruleId"] for result in run["results"]] == [
        "learning_rate_too_high",
        "dead_units",
        "vanishing_gradient",
        "underfitting",
        "labels_unrelated",
    ]
    for result, finding in zip(run["results"], flat(FINDINGS), strict=True):
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert (
            result["level"]
            == {"error": "error", "warning": "warning", "info": "note"}[finding.severity]
        )
        assert result["level"] in {"none", "note", "warning", "error"}
        assert 0 <= result["rank"] <= 100
        assert result["message"]["text"] == finding.explanation
        (location,) = result["locations"]
        names = [place["fullyQualifiedName"] for place in location["logicalLocations"]]
        assert names == [
            f"Sequential/{name}" for name in [finding.step, *finding.where.get("layers", [])]
        ]
        assert len(set(names)) == len(names)


def test_two_findings_of_one_condition_share_its_rule() -> None:
    (run,) = diagnosis([FINDINGS[1], FINDINGS[1]]).to_sarif()["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["labels_unrelated"]
    assert [result["ruleIndex"] for result in run["results"]] == [0, 0]


def test_what_was_not_judged_is_a_notification() -> None:
    """SARIF 2.1.0, sections 3.20 (invocation) and 3.58 (notification)."""
    judged = diagnosis([])
    judged.case.not_judged.append(("train", "of another shape"))
    (run,) = strict(judged.to_sarif())["runs"]
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is True
    (notification,) = invocation["toolExecutionNotifications"]
    assert notification["level"] == "warning"
    assert notification["descriptor"] == {"id": "train"}
    assert notification["message"]["text"] == "not judged: train: of another shape"
