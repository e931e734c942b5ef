"""The limits of a training: `python -m benchmarks.limits`, which `make bench` calls with
`--part speed` after the speed table, and `make bench-limits` with `--part cost`.

What is measured replaces its pieces of this machine's file in benchmarks/results, from which
benchmarks/RESULTS.md is written; with --quick it is only printed."""

from __future__ import annotations

import argparse
import datetime
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.limits import COST, NAMES, SPEED
from benchmarks.limits.section import Failed, Options, Section
from benchmarks.report import write
from benchmarks.speed.machine import busy, identity, mnist_folder
from benchmarks.speed.table import verdict as told
from benchmarks.stored import store

PARTS = {"speed": SPEED, "cost": COST, "all": NAMES}


def main() -> int:
    options = arguments()
    machine, load = identity(), busy()
    rounds = options.rounds or (1 if options.quick else 3)
    sections, failed = [], []
    for name in options.only or PARTS[options.part]:
        module = importlib.import_module(f"benchmarks.limits.{name}")
        try:
            sections.append(
                module.section(Options(options.quick, rounds, mnist_folder(options.data_dir)))
            )
        except Failed as failure:
            failed.append(name)
            sections.append(Section(module.TITLE, [f"Not measured: {failure}."]))
        print(f"\n{sections[-1].markdown()}\n", flush=True)
        if not options.quick:
            piece = {
                "date": str(datetime.date.today()),
                "load": load,
                "rounds": rounds,
                "section": vars(sections[-1]),
            }
            store(machine, "limits", {name: piece})
    print(verdict(sections))
    if not options.quick:
        write()
    return int(bool(failed))


def verdict(sections: Sequence[Section]) -> str:
    """How many targets were met, and which were not."""
    return told({f"{s.title}: {what}": met for s in sections for what, met in s.targets.items()})


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.limits", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=NAMES,
        metavar="SECTION",
        help=f"this section; may be repeated: {', '.join(NAMES)}",
    )
    parser.add_argument(
        "--part",
        choices=PARTS,
        default="all",
        help=f"speed: {', '.join(SPEED)}; cost: {', '.join(COST)}; all: both (default)",
    )
    parser.add_argument(
        "--rounds", type=int, help="how often each measurement is made (default 3, with --quick 1)"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one round of little work, to see that everything works; figures are noise",
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


if __name__ == "__main__":
    sys.exit(main())
