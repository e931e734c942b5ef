"""What a fault operator is."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.doctor.cases.injected.injection import Operator


@dataclass(frozen=True)
class Fault:
    """A fault that any training may be given. `conditions` are right answers, the true cause first.

    `structural`: the fault is there whatever the score says.
    """

    name: str
    conditions: tuple[str, ...]
    apply: Operator
    structural: bool = False
