"""A finding survives JSON, and what is no finding is refused."""

from __future__ import annotations

from typing import Any

import pytest

from sevensteps.doctor.finding import Finding
from tests.doctor.report.findings import FINDINGS, flat, strict


@pytest.mark.parametrize("finding", flat(FINDINGS), ids=lambda finding: finding.condition)
def test_a_finding_survives_json(finding: Finding) -> None:
    assert Finding.from_dict(strict(finding.to_dict())) == finding


@pytest.mark.parametrize(
    ("change", "failure"),
    [
        ({"evidence": None}, TypeError),
        ({"evidence": [{"measure": "x"}]}, TypeError),
        ({"unknown": 1}, TypeError),
        ({"symptoms": [{}]}, KeyError),
        ({"remedies": [{"what": 1}]}, TypeError),
    ],
)
def test_what_is_no_finding_is_refused(change: dict[str, Any], failure: type[Exception]) -> None:
    with pytest.raises(failure):
        Finding.from_dict({**FINDINGS[0].to_dict(), **change})
    held = FINDINGS[0].to_dict()
    del held["remedies"]
    with pytest.raises(KeyError):
        Finding.from_dict(held)
