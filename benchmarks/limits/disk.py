"""Training on files larger than the memory allowed: its speed beside that in memory, and the memory
that it takes.
"""

from __future__ import annotations

import tempfile
from statistics import median
from typing import Any

from benchmarks.limits.memory import MB, peak
from benchmarks.limits.section import Options, Section, mark, measured, table
from sevensteps.training.observer import Observer

TITLE = "Larger than memory"
LEAST = 0.7  # of the speed in memory, while the file is in the page cache
TIMES = 4  # the file is so many times as large as the memory allowed
COLUMNS = 784
KINDS = {"float32 table": "f4", "bytes of pictures": "u1"}


def write(folder: str, count: int, kind: str) -> dict[str, Any]:
    """`x.npy` and `y.npy`; returns the megabytes of `x.npy`."""
    import os

    import numpy

    os.chdir(folder)
    draw = numpy.random.default_rng(0)
    y = draw.integers(0, 10, count)
    x = numpy.lib.format.open_memmap(
        "x.npy", "w+", kind, (count, 28, 28) if kind == "u1" else (count, COLUMNS)
    )
    for start in range(0, count, 4096):
        some = draw.integers(0, 256, (len(y[start : start + 4096]), COLUMNS)) * (
            draw.random(COLUMNS) < 0.2
        )
        x[start : start + 4096] = (some if kind == "u1" else some / 255).reshape(-1, *x.shape[1:])
    x.flush()
    numpy.save("y.npy", y)
    return {"megabytes": x.nbytes / 1e6}


class Ends(Observer):
    """An observer that takes the time at the end of each epoch, its evaluation included."""

    def __init__(self) -> None:
        self.at: list[float] = []

    def evaluated(self, training: Any, row: dict[str, Any]) -> None:
        import time

        self.at.append(time.perf_counter())


def train(folder: str, size: float, width: int, epochs: int) -> dict[str, Any]:
    """Seconds of each epoch but the first, in memory and from disk, in turn."""
    import os

    import sevensteps as ss

    os.chdir(folder)
    seconds: dict[str, list[float]] = {"memory": [], "disk": []}
    sources = {"memory": 100 * size, "disk": size / TIMES}
    data = {
        name: ss.data.load("x.npy", target="y.npy", memory=memory)
        for name, memory in sources.items()
    }
    for _ in range(3):
        for name, array in data.items():
            ends = Ends()
            ss.train(
                array,
                predict=ss.mlp(width),
                step=ss.sgd(lr=0.1),
                repeat=ss.batches(256),
                stop=ss.epochs(epochs),
                threads=int(os.environ["OMP_NUM_THREADS"]),
                out=False,
                progress=False,
                observers=[ends],
            )
            seconds[name] += [b - a for a, b in zip(ends.at, ends.at[1:], strict=False)]
    return seconds


def memory(folder: str, size: float) -> dict[str, Any]:
    """By how many bytes the resident memory grows at most, pages of the file included, with a
    fourth of the file's size allowed.
    """
    import os

    import sevensteps as ss

    def run(source: str, stop: str) -> None:
        ss.train(
            source,
            predict=ss.mlp(30),
            repeat="batches(256)",
            stop=stop,
            threads=int(os.environ["OMP_NUM_THREADS"]),
            out=False,
            progress=False,
        )

    os.chdir(folder)
    run("moons", "epochs(3)")  # for the libraries that every training loads
    before = peak()
    run(f'npy("x.npy", target="y.npy", memory={size / TIMES:.1f})', "epochs(2)")
    return {"grown": peak() - before}


def section(options: Options) -> Section:
    count, epochs = (6_000, 2) if options.quick else (60_000, 6)
    rows, targets = [], {}
    for name, kind in KINDS.items():
        with tempfile.TemporaryDirectory() as folder:
            size = measured(__name__, "write", folder=folder, count=count, kind=kind)["megabytes"]
            for width in (30, 256):
                turns = [
                    measured(
                        __name__, "train", folder=folder, size=size, width=width, epochs=epochs
                    )
                    for _ in range(options.rounds)
                ]
                inside, outside = (
                    median(median(turn[key]) for turn in turns) for key in ("memory", "disk")
                )
                share = median(median(turn["memory"]) / median(turn["disk"]) for turn in turns)
                rows.append(
                    [
                        name,
                        f"784-{width}-10",
                        f"{inside:.3f}",
                        f"{outside:.3f}",
                        f"{share:.2f}",
                        f"{LEAST:g}",
                        mark(share >= LEAST),
                    ]
                )
                targets[f"{name}, 784-{width}-10, {share:.2f} of {LEAST:g}"] = share >= LEAST
    with tempfile.TemporaryDirectory() as folder:
        size = measured(
            __name__, "write", folder=folder, count=20_000 if options.quick else 320_000, kind="f4"
        )["megabytes"]
        grown = median(
            measured(__name__, "memory", folder=folder, size=size)["grown"] / MB
            for _ in range(options.rounds)
        )
    allowed = size / TIMES
    targets[f"memory, {grown:.0f} of {allowed:.0f} MB"] = grown <= allowed
    return Section(
        TITLE,
        [
            f"{count:,} samples of 784 numbers in a .npy, split 80/20, batch 256, looking inside "
            "as by default; in memory, and from the file "
            f"with a {TIMES}th of its size allowed, in turn in one process. Seconds of an epoch "
            "with its evaluation; the file is in the page "
            "cache.",
            "",
            *table(
                ["file", "network", "in memory", "from disk", "share of the speed", "wanted", ""],
                rows,
            ),
            "",
            f"A file of {size:,.0f} MB with {allowed:,.0f} MB allowed: resident memory, pages of "
            "the file included, grows by "
            f"{grown:,.0f} MB at most: {mark(grown <= allowed)}.",
        ],
        targets,
    )
