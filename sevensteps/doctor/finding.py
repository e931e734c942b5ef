"""A finding blames one of the seven steps, shows its evidence, and proposes remedies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from sevensteps.doctor.trials.trial import Trial

Severity = Literal["info", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error")


@dataclass(frozen=True)
class Measure:
    """One piece of evidence: what was measured, the number observed, and what is expected.

    `expected` is what a healthy training shows; `source` says where that comes from.
    """

    measure: str
    observed: Any
    expected: Any
    source: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "measure": self.measure,
            "observed": self.observed,
            "expected": self.expected,
            "source": self.source,
        }


@dataclass(frozen=True)
class Remedy:
    """A change of one or more of the seven steps, and why it should help.

    `change` has the steps' values as notation, `{"step": "sgd(lr=0.01)"}`; a change under "data" is
    one of the data. `advice` says in words what to do in a loop of one's own.
    """

    change: dict[str, str]
    why: str
    advice: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {"change": self.change, "why": self.why, "advice": self.advice}


@dataclass
class Finding:
    """One condition that a training has.

    `where` names layers, units or parameters. `onset` is the step at which it began, None if that
    is not known. `symptoms` are other findings that this one explains.
    """

    condition: str
    step: str
    severity: Severity
    confidence: float
    explanation: str
    evidence: list[Measure]
    remedies: list[Remedy] = field(default_factory=list)
    where: dict[str, Any] = field(default_factory=dict)
    onset: int | None = None
    trials: list[Trial] = field(default_factory=list)
    symptoms: list[Finding] = field(default_factory=list)

    @property
    def refuted(self) -> bool:
        """Whether each of its remedies that is a change was tried, and none helped."""
        changes = [remedy.change for remedy in self.remedies if remedy.change]
        failed = [trial.change for trial in self.trials if trial.failed]
        return (
            bool(changes)
            and all(change in failed for change in changes)
            and all(trial.failed for trial in self.trials)
        )

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Finding:
        """The finding that `to_dict` wrote. Raises `KeyError` or `TypeError` for anything else."""
        return cls(
            **{
                **plain,
                "evidence": [Measure(**m) for m in plain["evidence"]],
                "remedies": [Remedy(**r) for r in plain["remedies"]],
                "trials": [Trial.from_dict(t) for t in plain["trials"]],
                "symptoms": [cls.from_dict(s) for s in plain["symptoms"]],
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """The form of `run.json` and `--json`."""
        return {
            "condition": self.condition,
            "step": self.step,
            "severity": self.severity,
            "confidence": round(self.confidence, 3),
            "where": self.where,
            "onset": self.onset,
            "evidence": [m.to_dict() for m in self.evidence],
            "explanation": self.explanation,
            "remedies": [r.to_dict() for r in self.remedies],
            "trials": [t.to_dict() for t in self.trials],
            "symptoms": [s.to_dict() for s in self.symptoms],
        }
