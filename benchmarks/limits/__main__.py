"""The limits of a training: `python -m benchmarks.limits`, which `make bench` calls after the speed
table.

A whole run puts its sections at the end of benchmarks/RESULTS.md, in place of those of an earlier
run; one with --quick or --only is printed alone."""

from __future__ import annotations

import argparse
import datetime
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.limits.section import Failed, Options, Section
from benchmarks.speed.machine import ROOT, THREADS, busy, describe, mnist_folder

RESULTS = ROOT / "benchmarks" / "RESULTS.md"
NAMES = ("products", "memory", "growth", "steady", "disk", "saving", "racing", "bf16", "mnist99")
TITLE = "# Limits"
HEAD = """{title}

Written by `make bench` on {date}; run it again rather than edit it.

{machine}. Load average before: {load}.

{verdict}

Each measurement is a fresh process on {threads} threads; what is compared takes turns, {rounds}
rounds of it unless a section says otherwise, and the figures are medians of the rounds.
"""


def main() -> int:
    options = arguments()
    load, sections, failed = busy(), [], []
    for name in options.only or NAMES:
        module = importlib.import_module(f"benchmarks.limits.{name}")
        try:
            sections.append(
                module.section(
                    Options(
                        options.quick,
                        options.rounds or (1 if options.quick else 3),
                        mnist_folder(options.data_dir),
                    )
                )
            )
        except Failed as failure:
            failed.append(name)
            sections.append(Section(module.TITLE, [f"Not measured: {failure}."]))
        print(f"\n{sections[-1].markdown()}\n", flush=True)
    head = HEAD.format(
        title=TITLE,
        date=datetime.date.today(),
        machine=describe(),
        load="unknown" if load is None else f"{load:.1f}",
        verdict=verdict(sections),
        threads=THREADS,
        rounds=options.rounds or 3,
    )
    print(verdict(sections))
    if not options.quick and not options.only:
        before = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
        RESULTS.write_text(
            joined(before, "\n\n".join([head.rstrip(), *(part.markdown() for part in sections)])),
            encoding="utf-8",
        )
        print(f"written: {RESULTS.relative_to(ROOT)}")
    return int(bool(failed))


def joined(before: str, limits: str) -> str:
    """The report `before` with `limits` at its end, in place of those it had."""
    introduction = f"\n{before}".partition(f"\n{TITLE}\n")[0].strip()
    return "\n\n".join(part for part in (introduction, limits) if part) + "\n"


def verdict(sections: Sequence[Section]) -> str:
    """How many targets were met, and which were not."""
    targets = {
        f"{section.title}: {what}": met
        for section in sections
        for what, met in section.targets.items()
    }
    missed = [what for what, met in targets.items() if not met]
    return f"{len(targets) - len(missed)} of {len(targets)} targets met." + (
        f" Missed: {'; '.join(missed)}." if missed else ""
    )


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
