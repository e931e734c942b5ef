"""One measurement in this process: `python -m benchmarks.speed.contestants MEASURE NAME CASE ARRAYS
EPOCHS SEED` prints it as a line of JSON. MEASURE is `epoch` or `call`.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from benchmarks.speed.cases import CASES
from benchmarks.speed.contestants import Skipped
from benchmarks.speed.trial import Trial, load


def main(measure: str, name: str, case: str, arrays: str, epochs: str, seed: str) -> None:
    # what it imports is not on the clock
    contestant = importlib.import_module(f"{__package__}.{name}")
    trial = load(CASES[case], Path(arrays), int(epochs), int(seed))
    try:
        result = {"epoch": by_epoch, "call": by_call}[measure](contestant, trial)
    except Skipped as skipped:
        result = {"skipped": str(skipped)}
    print(json.dumps(result))


def by_epoch(contestant: Any, trial: Trial) -> dict[str, Any]:
    """What the contestant measured of each epoch, once it is clear that it did the same work as
    all: as many epochs, a loss recorded for each, on as many threads.
    """
    result: dict[str, Any] = contestant.train(trial)
    for key in ("seconds_per_epoch", "losses"):
        if len(result[key]) != trial.epochs or not all(map(math.isfinite, result[key])):
            raise SystemExit(f"{key} should be {trial.epochs} finite numbers, not {result[key]}")
    allowed = int(os.environ["OMP_NUM_THREADS"])
    if (torch := sys.modules.get("torch")) and torch.get_num_threads() != allowed:
        raise SystemExit(f"torch computes with {torch.get_num_threads()} threads, not {allowed}")
    return result


def by_call(contestant: Any, trial: Trial) -> dict[str, Any]:
    """Seconds of the first whole call in this process and of the second, of bringing the arrays
    into the library's own form before them, and the accuracy reached.

    The first holds what a library loads, compiles or measures on its first use, after the `import`
    lines of the contestant; the second is what a notebook's next cell takes."""
    began = time.perf_counter()
    call = contestant.whole_call(trial)
    prepared, seconds = time.perf_counter() - began, []
    for _ in range(2):
        began = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - began)
    reached = result["accuracies"]
    if len(reached) not in (1, trial.epochs):
        raise SystemExit(f"there should be 1 or {trial.epochs} accuracies, not {len(reached)}")
    first, second = seconds
    return {
        "first": first,
        "second": second,
        "prepared": prepared,
        "accuracy": float(reached[-1]),
        "version": result["version"],
    }


if __name__ == "__main__":
    # advice on workers, devices and convergence; errors still end the process
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
