"""The answer: findings in order, as text, HTML, JSON and SARIF."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sevensteps import __version__
from sevensteps.doctor import report
from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding
from sevensteps.record.folder import finite


@dataclass
class Diagnosis:
    """What was found, most likely cause first; empty where nothing is wrong. `print` it, or take `findings` and `ruled_out`."""

    findings: list[Finding]
    case: Case

    @property
    def ruled_out(self) -> list[tuple[str, str]]:
        """Conditions that looked likely and are not it, with the reason."""
        found = {finding.condition for finding in self.findings}
        return [(name, why) for name, why in self.case.ruled_out if name not in found]

    @property
    def errors(self) -> list[Finding]:
        """The findings that keep the training from working."""
        return [finding for finding in self.findings if finding.severity == "error"]

    def __str__(self) -> str:
        return report.text(self.findings, self.ruled_out, self._seen())

    def __repr__(self) -> str:
        return f"<diagnosis: {', '.join(finding.condition for finding in self.findings) or 'nothing found'}>"

    def _repr_html_(self) -> str:
        return report.html(self.findings, self.ruled_out, self._seen())

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        held: dict[str, Any] = finite({
            "findings": [finding.to_dict() for finding in self.findings],
            "ruled_out": [{"condition": name, "because": why} for name, why in self.ruled_out]})
        return held

    def to_sarif(self) -> dict[str, Any]:
        """As SARIF 2.1.0."""
        held: dict[str, Any] = finite(report.sarif(self.findings, __version__, self.case.facts.network))
        return held

    def _seen(self) -> str:
        observed = self.case.observed
        if self.case.early or not observed.steps:
            return "Seen: one batch, before the first step."
        share = 100 * observed.spent / observed.seconds if observed.seconds else 0.0
        return (f"Seen: {observed.steps:,} {'step' if observed.steps == 1 else 'steps'} of {observed.facts.network}, {len(observed.looks)} "
                f"of them closely ({share:.1f} % of the time).")
