"""Which runs of a case count.

A fault that does not show for a seed is no fault for that seed: a faulty run counts if its score is
at least .03 below the lowest of its cured twin over the seeds, or if the fault is structural, there
whatever the score. Healthy and cured runs count where they learned: where their score is at least
.8 of that of the best seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.doctor.loop import Case

SHOWS = 0.03
LEARNED = 0.8  # of the best seed's score

Outcome = dict[str, Any]  # has a "score"


def shown(case: Case, faulty: Sequence[Outcome], cured: Sequence[Outcome]) -> list[Outcome]:
    """The runs of a faulty `case` in which the fault shows; `cured` are those of its twin."""
    return [
        o
        for o in faulty
        if case.structural or (cured and o["score"] <= min(c["score"] for c in cured) - SHOWS)
    ]


def learned(runs: Sequence[Outcome]) -> list[Outcome]:
    """The runs of a healthy or cured case that learned."""
    return [o for o in runs if o["score"] >= LEARNED * max(o["score"] for o in runs)]
