"""A diagnosis in SARIF 2.1.0, the format that code review tools read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sevensteps.doctor.conditions import condition, summary
from sevensteps.doctor.finding import Finding

LEVELS = {"error": "error", "warning": "warning", "info": "note"}  # SARIF's words


def sarif(
    findings: Sequence[Finding],
    version: str,
    subject: str,
    not_judged: Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:
    """The findings in SARIF 2.1.0, symptoms after their cause.

    The seven steps and the layers of `subject`, the network's name, are logical locations. What was
    `not_judged` are notifications of the run, as SARIF has them for what a tool could not do.
    """
    flat: list[Finding] = []

    def add(finding: Finding) -> None:
        flat.append(finding)
        for symptom in finding.symptoms:
            add(symptom)

    for finding in findings:
        add(finding)
    rules = list(dict.fromkeys(finding.condition for finding in flat))
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "sevensteps",
                        "version": version,
                        "rules": [
                            {
                                "id": name,
                                "shortDescription": {"text": summary(name)},
                                "properties": {"step": condition(name).STEP},
                            }
                            for name in rules
                        ],
                    }
                },
                "invocations": [
                    {
                        "executionSuccessful": True,
                        "toolExecutionNotifications": [
                            {
                                "level": "warning",
                                "descriptor": {"id": what},
                                "message": {"text": f"not judged: {what}: {why}"},
                            }
                            for what, why in not_judged
                        ],
                    }
                ],
                "results": [
                    {
                        "ruleId": finding.condition,
                        "ruleIndex": rules.index(finding.condition),
                        "level": LEVELS[finding.severity],
                        "rank": round(100 * finding.confidence, 1),
                        "message": {"text": finding.explanation},
                        "locations": [
                            {
                                "logicalLocations": [
                                    {"fullyQualifiedName": f"{subject}/{name}", "kind": "module"}
                                    for name in dict.fromkeys(
                                        [finding.step, *map(str, finding.where.get("layers", []))]
                                    )
                                ]
                            }
                        ],
                        "properties": {
                            key: value
                            for key, value in finding.to_dict().items()
                            if key in ("where", "onset", "evidence", "remedies")
                        },
                    }
                    for finding in flat
                ],
            }
        ],
    }
