"""Outputs that are clipped on the way to the loss, and lie at the ends from the start on."""

from __future__ import annotations

from dataclasses import dataclass

from sevensteps.doctor.case import Case
from sevensteps.doctor.output_path import OutputPath, output_paths

AT_THE_ENDS = 0.5  # share of the outputs
CLIPPING = {"Clamp", "Hardtanh"}  # operations with two ends


@dataclass(frozen=True)
class ClippedOutputs:
    """Outputs between `low` and `high`, of which never less than `share` lie at one of the two."""

    low: float
    high: float
    share: float
    path: OutputPath


def clipped_outputs(case: Case) -> ClippedOutputs | None:
    """Those of this training; None where less than half of them lie at the ends at some time, and
    where they are compared with numbers, whose range then decides.
    """
    outputs = [look.output.flatten().double() for look in case.looks if look.output is not None]
    if not outputs:
        return None
    low, high = min(float(o.min()) for o in outputs), max(float(o.max()) for o in outputs)
    share = min(float(((o == low) | (o == high)).double().mean()) for o in outputs)
    if not low < high or share < AT_THE_ENDS:
        return None
    for path in output_paths(case):
        numbers = path.compared is not None and path.term.target == "data"
        if CLIPPING & set(path.names) and not numbers:
            return ClippedOutputs(low, high, share, path)
    return None
