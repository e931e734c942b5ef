"""What worker processes do: one case for one seed, without a word on standard output."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.doctor.loop import Case


def work(name: str, seed: int) -> dict[str, Any]:
    """One training, as plain values."""
    from benchmarks.doctor.cases import CASES

    return run(CASES[name], seed)


def run(case: Case, seed: int) -> dict[str, Any]:
    """`case` for one seed, as plain values; of one that fails, the failure."""
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    try:
        outcome = case.run(seed)
    except Exception as failure:  # a case that fails is said, not lost
        return {"name": case.name, "seed": seed, "failure": f"{type(failure).__name__}: {failure}"}
    return {
        "name": case.name,
        "seed": seed,
        "findings": outcome.findings,
        "score": outcome.score,
        "first_loss": outcome.first_loss,
        "seconds": outcome.seconds,
        "diagnosing": outcome.diagnosing,
        "steps": outcome.steps,
    }


def quiet() -> None:
    """Away with what libraries print in a worker: MKL writes a line for each matrix that is not
    finite.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
