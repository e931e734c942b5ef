"""One case for one seed, in a worker process."""

from __future__ import annotations

import warnings
from typing import Any


def work(name: str, seed: int) -> dict[str, Any]:
    """One training, as plain values."""
    import torch

    from benchmarks.doctor.cases import CASES
    from benchmarks.doctor.loop import run

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    try:
        outcome = run(CASES[name].build(seed), seed)
    except Exception as failure:  # a case that fails is said, not lost
        return {"name": name, "seed": seed, "failure": f"{type(failure).__name__}: {failure}"}
    return {"name": name, "seed": seed, "findings": outcome.findings, "score": outcome.score, "first_loss": outcome.first_loss,
            "seconds": outcome.seconds, "diagnosing": outcome.diagnosing, "steps": outcome.steps}
