"""Causes before symptoms: a finding that another one explains is folded under it, and the rest are
put in order.
"""

from __future__ import annotations

from sevensteps.doctor.conditions import condition, condition_names
from sevensteps.doctor.finding import SEVERITIES, Finding, Severity


def ranked(findings: list[Finding]) -> list[Finding]:
    """The findings that no other explains, most likely cause first, each with its symptoms under
    it.

    A finding explains another when its condition says so (`EXPLAINS`) and it did not begin later.
    In a circle the gravest stays on top. A cause is as severe as the gravest of its symptoms.
    """
    order = sorted(findings, key=_weight)
    causes: dict[int, int] = {}  # place in `order` -> that of what explains it
    for place, finding in reversed(list(enumerate(order))):
        cause = next(
            (
                at
                for at, other in enumerate(order)
                if at != place
                and _explains(other, finding)
                and not _explains(finding, other)
                and not _below(at, place, causes)
            ),
            None,
        )
        if cause is not None:
            causes[place] = cause
    for place, cause in sorted(causes.items()):
        order[cause].symptoms.append(order[place])
    top = [finding for place, finding in enumerate(order) if place not in causes]
    for finding in top:
        finding.severity = _gravest(finding)
    return sorted(top, key=_weight)


def _gravest(finding: Finding) -> Severity:
    """The severity of a finding and of all that it explains: what leads to an error is one."""
    severities = (finding.severity, *map(_gravest, finding.symptoms))
    return max(severities, key=SEVERITIES.index)


def in_order(findings: list[Finding]) -> list[Finding]:
    """The findings of several networks, most likely cause first; none explains another's."""
    return sorted(findings, key=_weight)


def _below(place: int, other: int, causes: dict[int, int]) -> bool:
    """Whether `other` explains `place`, by way of others too."""
    while place in causes:
        place = causes[place]
        if place == other:
            return True
    return False


def _explains(cause: Finding, symptom: Finding) -> bool:
    if _is_traced(symptom) and not (
        cause.condition == "inputs_not_finite" and symptom.where["cause"] in ("input", "target")
    ):
        return False
    explained = (*condition(cause.condition).EXPLAINS, *cause.where.get("explains", ()))
    if _is_traced(cause) and symptom.onset is not None:
        # what might have led to it otherwise comes of it
        explained += tuple(
            name
            for name in condition_names()
            if cause.condition in condition(name).EXPLAINS and name != "inputs_not_finite"
        )
    if symptom.condition not in explained or cause.confidence < 0.5:
        return False
    if cause.condition in symptom.where.get("apart_from", ()):
        return False
    if SEVERITIES.index(cause.severity) < min(1, SEVERITIES.index(symptom.severity)):
        return False  # a mere remark is no cause of a fault
    return cause.onset is None or symptom.onset is None or cause.onset <= symptom.onset


def _is_traced(finding: Finding) -> bool:
    """Whether a finding has traced its own cause: it is no symptom of what only makes it likely."""
    return "cause" in finding.where


def _weight(finding: Finding) -> tuple[float, ...]:
    """Surer and graver first; of equals, the earlier one, then the order of the seven steps."""
    onset = 0 if finding.onset is None else finding.onset
    return (
        -SEVERITIES.index(finding.severity),
        -round(finding.confidence, 1),
        onset,
        condition_names().index(finding.condition),
    )
