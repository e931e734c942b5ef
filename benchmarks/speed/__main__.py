"""Ours and its peers, side by side: `python -m benchmarks.speed`, or `make bench`, which installs
the peers first.

Every training is a fresh process; the contestants take turns (A B C A B C …), so that a slow minute
of the machine meets all of them. What is measured replaces its pieces of this machine's file in
benchmarks/results, from which benchmarks/RESULTS.md is written; with --quick or --contestant it is
only printed."""

from __future__ import annotations

import argparse
import compileall
import datetime
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import write
from benchmarks.speed.cases import CASES, COMPILED, OURS, Case
from benchmarks.speed.contestants import NAMES
from benchmarks.speed.machine import ROOT, THREADS, busy, describe, fresh, identity, mnist_folder
from benchmarks.speed.table import (
    KINDS,
    by_call,
    by_epoch,
    differing,
    markdown,
    piece,
    preparing,
    rows_of,
    summarize,
    targets,
    verdict,
)
from benchmarks.speed.trial import PARTS
from benchmarks.stored import store

SECONDS = {"epoch": by_epoch, "call": by_call}
EPOCHS: dict[str, Callable[[Case], int]] = {
    "epoch": lambda case: case.epochs,
    "call": lambda case: case.call_epochs,
}
EPOCHS_QUICK = 2
COMPILING = 3.0  # seconds more of a first call than other first uses take


def main() -> int:
    options = arguments()
    cases = [CASES[name] for name in options.only or CASES]
    rounds = options.rounds or (1 if options.quick else 3)
    keep = not options.quick and not options.contestant
    answers: dict[str, bool] = {}
    failed = False
    with tempfile.TemporaryDirectory(prefix="sevensteps-bench-") as folder:
        store_arrays(Path(folder), options.data_dir)
        # as an installation does
        compileall.compile_dir(ROOT / "sevensteps", quiet=1)
        for case in cases:
            pieces = {}
            for kind in options.measure or KINDS:
                if case.contestants_of(kind, 0):
                    pieces[kind] = measure(kind, case, rounds, options, Path(folder))
                    rows = rows_of(pieces[kind])
                    # one round does not show how far rounds differ
                    differ = rounds > 1 and bool(differing(rows))
                    failed |= differ or any(row.failure for row in rows)
                    if keep:
                        store(identity(), kind, {case.name: pieces[kind]})
            answers |= targets(case, pieces)
            print(f"\n{markdown(case, pieces)}\n", flush=True)
    print(f"{describe()}\n{verdict(answers)}")
    if keep:
        write()
    return int(failed)


def measure(
    kind: str, case: Case, rounds: int, options: argparse.Namespace, folder: Path
) -> dict[str, Any]:
    """What is stored of `case`: its contestants in turn, so often."""
    load = busy()
    epochs = EPOCHS_QUICK if options.quick else EPOCHS[kind](case)
    names = options.contestant or case.contestants_of(kind, 0)
    note = compiled_once(case, folder) if COMPILED in names else ""
    turns = []
    for number in range(rounds):
        present = [
            name
            for name in names
            if options.contestant or name in case.contestants_of(kind, number)
        ]
        turns.append(turn(kind, case, present, epochs, number, folder))
    return piece(
        summarize(names, turns, SECONDS[kind]),
        date=str(datetime.date.today()),
        load=load,
        rounds=rounds,
        epochs=epochs,
        note=" ".join(filter(None, [preparing(names, turns), note])),
    )


def compiled_once(case: Case, folder: Path) -> str:
    """Compile what `case` needs of ours, untimed for the table, and say how long that took if it
    had not been kept.
    """
    took = turn("call", case, [COMPILED], 1, 0, folder)[COMPILED]
    if "first" not in took or (seconds := took["first"] - took["second"]) < COMPILING:
        return ""
    return f"Compiled before, once on a machine and kept: {seconds:.0f} s."


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
        "--measure",
        action="append",
        choices=KINDS,
        help="the bare epochs or the whole calls (default both)",
    )
    parser.add_argument(
        "--contestant",
        action="append",
        choices=NAMES,
        metavar="NAME",
        help=f"beside {OURS} only this one, printed and not stored; may be repeated: "
        f"{', '.join(NAMES)}",
    )
    parser.add_argument(
        "--rounds", type=int, help="how often everyone takes a turn (default 3, with --quick 1)"
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
    if options.contestant:
        options.contestant = list(dict.fromkeys([OURS, *options.contestant]))
    return options


def store_arrays(folder: Path, data_dir: Path | None) -> None:
    """Put MNIST into `folder` as arrays that every contestant can read, those without PyTorch
    too.
    """
    import sevensteps as ss

    data = ss.data.load("mnist", mnist_folder(data_dir))
    for part, tensor in zip(
        PARTS, (data.train.x, data.train.y, data.valid.x, data.valid.y), strict=True
    ):
        np.save(folder / f"{part}.npy", tensor.numpy())


def turn(
    kind: str, case: Case, names: Sequence[str], epochs: int, seed: int, folder: Path
) -> dict[str, Mapping[str, Any]]:
    """One round: each of `names` is timed once in `case`, in a process of its own; threads are as
    each library takes them for a whole call.
    """
    results: dict[str, Mapping[str, Any]] = {}
    for name in names:
        print(f"{case.name}, {kind}, round {seed + 1}: {name} … ", end="", flush=True)
        measured = results[name] = fresh(
            "benchmarks.speed.contestants",
            kind,
            name,
            case.name,
            str(folder),
            # the first warms up
            str(epochs + (kind == "epoch")),
            str(seed),
            threads=THREADS if kind == "epoch" else None,
        )
        seconds = measured.get("seconds_per_epoch") or [
            measured.get("first", 0),
            measured.get("second", 0),
        ]
        print(
            measured.get("failure")
            or measured.get("skipped")
            or " ".join(f"{took:.3f}" for took in seconds),
            flush=True,
        )
    return results


if __name__ == "__main__":
    sys.exit(main())
