"""One network over several processes, measured here, and computed for several machines: `python -m
benchmarks.scale.processes`.

Steps are timed with 1, 2 and 4 processes of one thread in turn; all-reduces of flat vectors alone
give latency and bandwidth; compute / N + all-reduce is held against the steps that were measured.
`--write` puts the tables into benchmarks/scale/PROCESSES.md."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy

from benchmarks.speed.machine import ROOT, describe, environment, mnist_folder
from sevensteps.training.observer import Observer

RESULTS = ROOT / "benchmarks" / "scale" / "PROCESSES.md"
PREDICT, BATCH, TARGET = "mlp(1024, 1024)", 4096, 1.6
PARAMETERS = 784 * 1024 + 1024 + 1024 * 1024 + 1024 + 1024 * 10 + 10
SIZES = (1_000, 24_000, 240_000, 1_900_000, 8_000_000, 25_000_000)  # float32 numbers
NETWORKS = {
    "24 k": 24_000,
    "1.9 M": PARAMETERS,
    "25 M": 25_000_000,
    "100 M": 100_000_000,
    "1 B": 1_000_000_000,
}
LINKS = {"1 Gbit/s": 1e9 / 8, "10 Gbit/s": 1e10 / 8, "100 Gbit/s": 1e11 / 8}  # bytes a second
MESSAGE = 50e-6  # seconds that a message takes between two machines of one network, about
FOUR = 4  # bytes of a float32


def ring(machines: int, size: float, bandwidth: float, message: float = MESSAGE) -> float:
    """Seconds of a ring all-reduce of `size` bytes: 2 (N - 1) messages of size / N. Source:
    Patarasuk, Yuan 2009.
    """
    return 2 * (machines - 1) * (message + size / machines / bandwidth)


def fit(times: Mapping[int, float]) -> tuple[float, float]:
    """(seconds, bytes a second) of time = latency + bytes / bandwidth, by least squares of the
    relative error.
    """
    sizes, seconds = (
        numpy.array([FOUR * size for size in times], float),
        numpy.array(list(times.values())),
    )
    latency, each = numpy.linalg.lstsq(
        numpy.stack([1 / seconds, sizes / seconds], 1), numpy.ones(len(sizes)), rcond=None
    )[0]
    return float(latency), float(1 / each)


def simulated(
    compute: float, processes: int, size: float, latency: float, bandwidth: float
) -> float:
    """Seconds of a step of N processes: compute / N + all-reduce."""
    return compute / processes + (latency + size / bandwidth if processes > 1 else 0.0)


# -- in the processes ------------------------------------------------------------------------------


class Times(Observer):
    """How long each step took, and the processor for it."""

    def __init__(self) -> None:
        self.steps: list[tuple[float, float]] = []

    def started(self, training: Any) -> None:
        self.last = time.perf_counter(), time.process_time()

    def stepped(self, training: Any) -> None:
        now = time.perf_counter(), time.process_time()
        self.steps.append((now[0] - self.last[0], now[1] - self.last[1]))
        self.last = now

    def evaluated(self, training: Any, row: dict[str, Any]) -> None:
        self.started(training)


def steps(count: int, data_dir: str | None = None) -> list[float]:
    """The median seconds of a step and those of the processor, and the seconds of the quickest
    step, without the first three.
    """
    import sevensteps as ss

    times = Times()
    ss.train(
        "mnist",
        predict=PREDICT,
        repeat=f"batches({BATCH})",
        stop=f"steps({count + 3})",
        threads=1,
        watch=0,
        out=False,
        progress=False,
        data_dir=data_dir,
        observers=[times],
    )
    taken = times.steps[3:]  # only process 0 has any
    return (
        [
            median(wall for wall, _ in taken),
            median(processor for _, processor in taken),
            min(taken)[0],
        ]
        if taken
        else []
    )


def sums(count: int) -> dict[int, float]:
    """The median seconds of an all-reduce, by size."""
    import torch

    from sevensteps.engine.distributed.process_group import join

    torch.set_num_threads(1)
    group = join()
    assert group.size > 1
    results = {}
    for size in SIZES:
        vector, times = torch.zeros(size), []
        for _ in range(count + 2):
            torch.distributed.barrier()
            began = time.perf_counter()
            group.all_reduce(vector)
            times.append(time.perf_counter() - began)
        results[size] = median(times[2:])
    return results


# -- from outside ----------------------------------------------------------------------------------


def measured(processes: int, what: str, *arguments: str) -> Any:
    """What process 0 of so many prints."""
    alone = [sys.executable, "-m"]
    together = [
        *alone,
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        str(processes),
        "-m",
    ]
    command = [
        *(alone if processes == 1 else together),
        "benchmarks.scale.processes",
        "--as",
        what,
        *arguments,
    ]
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment(1),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{ended.stderr[-2000:]}")
    return json.loads(ended.stdout.splitlines()[-1])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))


def report(rounds: int, count: int, data_dir: Sequence[str]) -> str:
    """All of it, as Markdown."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    sizes = [n for n in (1, 2, 4) if n <= (os.cpu_count() or 1)]
    turns: dict[int, list[float]] = {n: [] for n in sizes}
    worked: dict[int, list[float]] = {n: [] for n in sizes}
    quickest: dict[int, list[float]] = {n: [] for n in sizes}
    for _ in range(rounds):
        for n in sizes:
            wall, processor, quick = measured(n, "steps", str(count), *data_dir)
            turns[n].append(wall)
            worked[n].append(processor)
            quickest[n].append(quick)
    taken = {n: median(times) for n, times in turns.items()}
    summed = {
        n: {int(size): seconds for size, seconds in measured(n, "sums", str(count)).items()}
        for n in sizes
        if n > 1
    }
    fits = {n: fit(times) for n, times in summed.items()}
    best = taken[1] / taken[2]
    rows = [
        [
            str(n),
            f"{1e3 * taken[n]:.1f} ms",
            f"{1e3 * min(turns[n]):.1f}–{1e3 * max(turns[n]):.1f} ms",
            f"{taken[1] / taken[n]:.2f} ×",
            f"{1e3 * min(quickest[n]):.1f} ms",
            f"{1e3 * median(worked[n]):.1f} ms",
            f"{1e3 * expected:.1f} ms",
            f"{100 * (taken[n] / expected - 1):+.0f} %",
        ]
        for n in sizes
        for expected in [simulated(taken[1], n, FOUR * PARAMETERS, *fits.get(n, (0.0, 1.0)))]
    ]
    return (
        "\n\n".join(
            [
                "# One network over several processes",
                "Written by `python -m benchmarks.scale.processes --write` on "
                f"{datetime.date.today()}; run it again rather than edit it.",
                f"{describe(1)} in a process. Load average before: {load:.1f}. {PREDICT} on MNIST "
                f"({PARAMETERS:,} parameters, float32), batches of "
                f"{BATCH:,} shared by all processes; the median of {count} steps, of which the "
                f"median over {rounds} rounds in turn.",
                f"2 processes against 1: {best:.2f} ×; wanted: at least {TARGET} ×: "
                f"{'met' if best >= TARGET else '**missed**'}.",
                table(
                    [
                        "processes",
                        "step",
                        "range of the rounds",
                        "faster",
                        "quickest step",
                        "processor time of each",
                        "compute / N + all-reduce",
                        "measured against it",
                    ],
                    rows,
                ),
                f"The quickest steps: {min(quickest[1]) / min(quickest[2]):.2f} × with 2 "
                "processes. Where others work on the same processors, a "
                "step takes longer than its processor time.",
                "## All-reduce between processes of this machine (gloo)",
                table(
                    ["float32 numbers", *(f"{n} processes" for n in summed)],
                    [
                        [f"{size:,}", *(f"{1e3 * summed[n][size]:.2f} ms" for n in summed)]
                        for size in SIZES
                    ],
                ),
                "Time = latency + bytes / bandwidth: "
                + "; ".join(
                    f"{n} processes {1e3 * latency:.2f} ms + bytes / {bandwidth / 1e9:.1f} GB/s"
                    for n, (latency, bandwidth) in fits.items()
                )
                + ".",
                "## What machines in a network would take (computed)",
                f"A ring all-reduce of the gradient among 8 machines, {1e6 * MESSAGE:.0f} µs a "
                "message: 2 (N − 1) · (message + bytes / N / "
                "bandwidth).",
                table(
                    ["parameters", "each sends", *LINKS],
                    [
                        [
                            name,
                            volume(8, FOUR * count),
                            *(duration(ring(8, FOUR * count, link)) for link in LINKS.values()),
                        ]
                        for name, count in NETWORKS.items()
                    ],
                ),
            ]
        )
        + "\n"
    )


def volume(machines: int, size: float) -> str:
    """What each machine sends in an all-reduce."""
    sent = 2 * (machines - 1) / machines * size
    return f"{two(sent / 1e9)} GB" if sent >= 1e9 else f"{two(sent / 1e6)} MB"


def duration(seconds: float) -> str:
    """Two digits, with their unit."""
    return f"{two(seconds)} s" if seconds >= 1 else f"{two(1e3 * seconds)} ms"


def two(value: float) -> str:
    """Two digits that count."""
    return f"{float(f'{value:.2g}'):g}"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale.processes", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=15, help="steps of a round")
    parser.add_argument(
        "--data-dir",
        type=Path,
        help="folder with the files of MNIST (default $SEVENSTEPS_DATA, else ../shared/data)",
    )
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.relative_to(ROOT)}")
    # one of the processes
    parser.add_argument("--as", dest="part", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        what, count, *rest = options.part
        results = steps(int(count), *rest) if what == "steps" else sums(int(count))
        if os.environ.get("RANK", "0") == "0":
            print(json.dumps(results))
        return
    folder = mnist_folder(options.data_dir)
    text = report(options.rounds, options.steps, [str(folder)] if folder else [])
    print(text)
    if options.write:
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
