"""Whether a long training comes to hold more and more memory."""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks.limits.memory import MB, resident
from benchmarks.limits.section import Options, Section, mark, measured
from sevensteps.training.observer import Observer

TITLE = "Memory over a long training"
SLACK = 0.02  # of the earlier memory: the history gains a row an epoch, and an allocator keeps some


def train(first: int, last: int) -> dict[str, Any]:
    """Bytes resident after the epochs `first` and `last` of one training on digits."""
    import os
    import tempfile
    from pathlib import Path

    import sevensteps as ss

    class PeakMemory(Observer):
        def __init__(self) -> None:
            self.after: dict[int, int] = {}

        def evaluated(self, training: Any, row: dict[str, Any]) -> None:
            if row["epoch"] in (first, last):
                self.after[row["epoch"]] = resident()

    memory = PeakMemory()
    with tempfile.TemporaryDirectory() as folder:
        ss.train(
            "digits",
            stop=ss.epochs(last),
            threads=int(os.environ["OMP_NUM_THREADS"]),
            out=Path(folder) / "run",
            progress=False,
            observers=[memory],
        )
    return {"first": memory.after[first], "last": memory.after[last]}


def section(options: Options) -> Section:
    first, last = (10, 100) if options.quick else (100, 1000)
    measurements = [
        measured(__name__, "train", first=first, last=last) for _ in range(options.rounds)
    ]
    early, late = (median(turn[key] for turn in measurements) for key in ("first", "last"))
    grown = median(turn["last"] / turn["first"] - 1 for turn in measurements)
    return Section(
        TITLE,
        [
            f"digits with all defaults, so looking inside and keeping a run folder, for {last:,} "
            f"epochs. Resident after epoch {first}: "
            f"{early / MB:.1f} MB; after epoch {last:,}: {late / MB:.1f} MB, {100 * grown:+.1f} "
            f"%. Wanted: at most +{100 * SLACK:.0f} %: "
            f"{mark(grown <= SLACK)}."
        ],
        {f"{100 * grown:+.1f} % of +{100 * SLACK:.0f} %": grown <= SLACK},
    )
