"""One case for one seed, in a worker process."""

from __future__ import annotations

import time
from typing import Any


def work(name: str, seed: int) -> dict[str, Any]:
    """One training in a worker process."""
    import torch

    from benchmarks.doctor.cases import CASES
    from benchmarks.doctor.loop import run

    torch.set_num_threads(1)
    began = time.perf_counter()
    try:
        outcome = run(CASES[name].build(seed), seed)
    except Exception as failure:  # a case that fails is said, not lost
        return {"name": name, "seed": seed, "failure": f"{type(failure).__name__}: {failure}"}
    return {"name": name, "seed": seed, "took": time.perf_counter() - began, **vars(outcome)}
