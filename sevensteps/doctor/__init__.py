"""Which of the seven steps is to blame, on what evidence, and what to change: findings from what
watching saw.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions import CONDITIONS, condition
from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.ranking import ranked
from sevensteps.observe.observation import Observation

__all__ = ["Case", "Diagnosis", "Finding", "diagnose", "examine"]


def diagnose(observed: Observation, network: nn.Module | None = None, **known: Any) -> Diagnosis:
    """What is wrong with the training that was `observed`; `known` are the other fields of
    `Case`.
    """
    return examine(Case(observed, network, **known))


def examine(case: Case) -> Diagnosis:
    """Every condition, asked of `case`; findings ranked, most likely cause first."""
    found = [
        finding for name in CONDITIONS if (finding := condition(name).examine(case)) is not None
    ]
    return Diagnosis(ranked(found), case)
