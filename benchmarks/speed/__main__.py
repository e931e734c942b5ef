"""Ours and its peers, side by side: `python -m benchmarks.speed`, or `make bench`, which installs
the peers first.

Every training is a fresh process; the contestants take turns (A B C A B C …), so that a slow minute
of the machine meets all of them. A whole run writes benchmarks/RESULTS.md; one with --quick or
--only is printed alone."""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.cases import CASES, Case
from benchmarks.speed.machine import ROOT, THREADS, busy, describe, fresh, mnist_folder
from benchmarks.speed.table import differing, markdown, summarize, verdict
from benchmarks.speed.trial import PARTS

RESULTS = ROOT / "benchmarks" / "RESULTS.md"
METHOD = """# Ours and its peers, side by side

Written by `make bench` on {date}; run it again rather than edit it.

{machine}. Load average before: {load}. Peers: {versions}.

{verdict}

Same work for all: the same layers, batch size, SGD, float32, {threads} threads on {threads}
processors, shuffled every epoch, training loss recorded each epoch, the training samples of MNIST
in memory before the clock starts. Each training is a fresh process, the contestants in turn. The
first epoch warms up and is not counted: it holds set-up, and for `torch_compile` and `jax_scan`
compilation; which matrix kernel is the faster, sevensteps measures anew in the first process that
meets a shape. Nobody's epoch holds an evaluation. The seconds of a contestant are the median of its
epochs; those of the table are the median of the rounds. "Times ours" is the median of the ratios
within a round: above 1, ours is faster. `sevensteps_watched` looks inside within its default
budget, and its time counts; what it examines before the first step and after the last is in the
whole call below the table. Accuracy on the 10 000 test images (median ± half the range over rounds,
which are seeds), judged outside the clock: medians that lie apart by more than 1.5 points, and by
more than the rounds of any one contestant do, are called not the same work. Frameworks are used as
their documentation shows for data in memory; `…_index` is the same with batches cut by index in
place of a DataLoader.
"""


def main() -> int:
    options = arguments()
    cases = [CASES[name] for name in options.only or CASES]
    rounds = options.rounds or (1 if options.quick else 5)
    load, tables, texts, versions = busy(), {}, [], {}
    with tempfile.TemporaryDirectory(prefix="sevensteps-bench-") as folder:
        store(Path(folder), options.data_dir)
        for case in cases:
            epochs = 2 if options.quick else case.epochs
            measured = [turn(case, epochs + 1, seed, Path(folder)) for seed in range(rounds)]
            rows = tables[case.name] = summarize(case, measured)
            versions |= {row.contestant: row.version for row in rows if row.version}
            texts.append(markdown(case, epochs, rows, measured))
            print(f"\n{texts[-1]}\n", flush=True)
    head = METHOD.format(
        date=datetime.date.today(),
        machine=describe(),
        load="unknown" if load is None else f"{load:.1f}",
        versions=", ".join(f"{name} {version}" for name, version in sorted(versions.items())),
        verdict=verdict(tables),
        threads=THREADS,
    )
    print(f"{describe()}\n{verdict(tables)}")
    if not options.quick and not options.only:
        RESULTS.write_text("\n\n".join([head.rstrip(), *texts]) + "\n", encoding="utf-8")
        print(f"written: {RESULTS.relative_to(ROOT)}")
    # one round does not show how far rounds differ
    differ = rounds > 1 and any(map(differing, tables.values()))
    return int(differ or any(row.failure for rows in tables.values() for row in rows))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=CASES,
        metavar="CASE",
        help=f"this case; may be repeated: {', '.join(CASES)}",
    )
    parser.add_argument(
        "--rounds", type=int, help="how often everyone takes a turn (default 5, with --quick 1)"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one round of two epochs, to see that everyone works; figures are noise",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        help="folder with the files of MNIST (default $SEVENSTEPS_DATA, else ../shared/data)",
    )
    options = parser.parse_args()
    if options.rounds is not None and options.rounds < 1:
        parser.error(f"--rounds must be at least 1, not {options.rounds}")
    return options


def store(folder: Path, data_dir: Path | None) -> None:
    """Put MNIST into `folder` as arrays that every contestant can read, those without PyTorch
    too.
    """
    import sevensteps as ss

    data = ss.data.load("mnist", mnist_folder(data_dir))
    for part, tensor in zip(
        PARTS, (data.train.x, data.train.y, data.valid.x, data.valid.y), strict=True
    ):
        np.save(folder / f"{part}.npy", tensor.numpy())


def turn(case: Case, epochs: int, seed: int, folder: Path) -> dict[str, Mapping[str, Any]]:
    """One round: everyone in `case` trains once, each in a process of its own."""
    results: dict[str, Mapping[str, Any]] = {}
    for name in case.contestants:
        print(f"{case.name}, round {seed + 1}: {name} … ", end="", flush=True)
        results[name] = fresh(
            "benchmarks.speed.contestants", name, case.name, str(folder), str(epochs), str(seed)
        )
        print(
            results[name].get("failure")
            or " ".join(f"{took:.3f}" for took in results[name]["seconds_per_epoch"]),
            flush=True,
        )
    return results


if __name__ == "__main__":
    sys.exit(main())
