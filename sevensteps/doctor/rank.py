"""Causes before symptoms: a finding that another one explains is folded under it, and the rest are put in order."""

from __future__ import annotations

from sevensteps.doctor.conditions import CONDITIONS, condition
from sevensteps.doctor.finding import SEVERITIES, Finding


def ranked(findings: list[Finding]) -> list[Finding]:
    """The findings that no other explains, most likely cause first, each with its symptoms under it.

    A finding explains another when its condition says so (`EXPLAINS`) and it did not begin later.
    """
    order = sorted(findings, key=_weight)
    top: list[Finding] = []
    for finding in order:
        cause = next((other for other in order if other is not finding and _explains(other, finding)
                      and not _explains(finding, other)), None)
        if cause is None:
            top.append(finding)
        else:
            cause.symptoms.append(finding)
    return top or order


def _explains(cause: Finding, symptom: Finding) -> bool:
    if symptom.condition not in condition(cause.condition).EXPLAINS or cause.confidence < 0.5:
        return False
    if SEVERITIES.index(cause.severity) < min(1, SEVERITIES.index(symptom.severity)):
        return False  # a mere remark is no cause of a fault
    return cause.onset is None or symptom.onset is None or cause.onset <= symptom.onset


def _weight(finding: Finding) -> tuple[float, ...]:
    """Surer and graver first; of equals, the earlier one, then the order of the seven steps."""
    onset = 0 if finding.onset is None else finding.onset
    return (-SEVERITIES.index(finding.severity), -round(finding.confidence, 1), onset, CONDITIONS.index(finding.condition))
