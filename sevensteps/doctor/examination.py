"""An examination: every condition, asked of one case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sevensteps.doctor.case import Case, failure_text
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

    @property
    def not_judged(self) -> list[tuple[str, str]]:
        """What could not be asked: (condition or argument, reason), each once."""
        return list(dict.fromkeys(self.case.not_judged))

    def to_dict(self) -> dict[str, Any]:
        """The form of `run.json` and `--json`; numbers that are not finite become None."""
        plain: dict[str, Any] = nan_to_null(
            {
                "findings": [finding.to_dict() for finding in self.findings],
                "ruled_out": [{"condition": name, "because": why} for name, why in self.ruled_out],
                "not_judged": [{"what": what, "because": why} for what, why in self.not_judged],
            }
        )
        return plain


def examine(case: Case) -> Examination:
    """Ask every condition of `case`; the findings are ranked, most likely cause first.

    A condition that raises is noted as not judged, and the others are asked all the same: what
    networks and data of others may hold is not foreseen.
    """
    findings = []
    for name in condition_names():
        try:
            finding = condition(name).examine(case)
        except Exception as failure:
            case.not_judged.append((name, failure_text(failure)))
        else:
            findings += [finding] if finding is not None else []
    return Examination(ranked(findings), case)
