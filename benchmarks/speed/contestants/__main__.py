"""One training in this process: `python -m benchmarks.speed.contestants NAME CASE ARRAYS EPOCHS
SEED` prints it as a line of JSON.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from benchmarks.speed.cases import CASES
from benchmarks.speed.trial import load


def main(name: str, case: str, arrays: str, epochs: str, seed: str) -> None:
    # what it imports is not on the clock
    contestant = importlib.import_module(f"{__package__}.{name}")
    result = contestant.train(load(CASES[case], Path(arrays), int(epochs), int(seed)))
    check(result, int(epochs))
    print(json.dumps(result))


def check(result: dict[str, Any], epochs: int) -> None:
    """Every contestant did the same work: as many epochs, a loss recorded for each, on as many
    threads.
    """
    for key in ("seconds_per_epoch", "losses"):
        if len(result[key]) != epochs or not all(map(math.isfinite, result[key])):
            raise SystemExit(f"{key} should be {epochs} finite numbers, not {result[key]}")
    allowed = int(os.environ["OMP_NUM_THREADS"])
    if (torch := sys.modules.get("torch")) and torch.get_num_threads() != allowed:
        raise SystemExit(f"torch computes with {torch.get_num_threads()} threads, not {allowed}")


if __name__ == "__main__":
    # advice on workers, devices and convergence; errors still end the process
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
