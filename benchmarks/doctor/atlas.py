"""`python -m benchmarks.doctor.atlas`: a public atlas of failures, rebuilt: how often the first
warning or error names a right condition, and how often there is none of a healthy training.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import multiprocessing
import os
import sys
from typing import Any

from benchmarks.doctor import results
from benchmarks.doctor.fields import warnings
from benchmarks.doctor.work import run

TITLE = "A public atlas of failures, rebuilt"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.doctor.atlas", description=" ".join(__doc__.split())
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", action="store_true", help="write benchmarks/doctor/RESULTS.md")
    options = parser.parse_args()
    from benchmarks.doctor.cases.atlas import CASES

    os.environ["OMP_NUM_THREADS"] = "1"
    jobs = [(name, seed) for name in CASES for seed in range(options.seeds)]
    with concurrent.futures.ProcessPoolExecutor(
        options.jobs, multiprocessing.get_context("spawn")
    ) as pool:
        outcomes = list(pool.map(examine, *zip(*jobs, strict=True)))
    lines = report(outcomes)
    print("\n".join(lines))
    if options.write:
        results.put(TITLE, lines)
    return int(any("failure" in outcome for outcome in outcomes))


def examine(name: str, seed: int) -> dict[str, Any]:
    """One run of a scenario."""
    from benchmarks.doctor.cases.atlas import CASES

    return run(CASES[name], seed)


def report(outcomes: list[dict[str, Any]]) -> list[str]:
    """The table, as Markdown."""
    from benchmarks.doctor.cases.atlas import CASES

    rows, right, healthy = [], 0, collections.Counter[bool]()
    for case in CASES.values():
        runs = [outcome for outcome in outcomes if outcome["name"] == case.name]
        first = ["failed" if "failure" in o else (*warnings(o), "nothing")[0] for o in runs]
        good = sum(name in (case.conditions or ("nothing",)) for name in first)
        right += good
        if not case.conditions:
            healthy.update(name != "nothing" for name in first)
        said = ", ".join(f"{name} {n}" for name, n in collections.Counter(first).most_common(3))
        rows.append(f"| {case.name.removeprefix('atlas: ')} | {good} of {len(runs)} | {said} |")
    return [
        f"# {TITLE}",
        "",
        f"{right} of {len(outcomes)} runs are named rightly by the first warning or error, "
        f"{healthy[True]} of {healthy.total()} healthy ones are accused. Every run counts.",
        "",
        "| scenario | right | said first |",
        "|---|---|---|",
        *rows,
    ]


if __name__ == "__main__":
    sys.exit(main())
