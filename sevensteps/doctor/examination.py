"""An examination: every condition, asked of one case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions import condition, condition_names
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.ranking import ranked
from sevensteps.record.run_folder import nan_to_null


@dataclass
class Examination:
    """The findings of one case, most likely cause first; empty where nothing is wrong."""

    findings: list[Finding]
    case: Case

    @property
    def ruled_out(self) -> list[tuple[str, str]]:
        """Conditions that looked likely but were ruled out: (condition, reason)."""
        present = {finding.condition for finding in self.findings}
        return [(name, why) for name, why in self.case.ruled_out if name not in present]

    def to_dict(self) -> dict[str, Any]:
        """The form of `run.json` and `--json`; numbers that are not finite become None."""
        plain: dict[str, Any] = nan_to_null(
            {
                "findings": [finding.to_dict() for finding in self.findings],
                "ruled_out": [{"condition": name, "because": why} for name, why in self.ruled_out],
            }
        )
        return plain


def examine(case: Case) -> Examination:
    """Ask every condition of `case`; the findings are ranked, most likely cause first."""
    findings = (condition(name).examine(case) for name in condition_names())
    return Examination(ranked([finding for finding in findings if finding is not None]), case)
