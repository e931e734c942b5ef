"""`python -m benchmarks.doctor.injected`: faults of every kind brought from outside into healthy
trainings of every kind; how often the doctor names them.

Each fault is an operator that any training of `cases/field` can be given without being touched. A
run counts where its score is clearly below that of the untouched training with the same seed, or
where the fault is structural. Half of the families, drawn by their names, may be looked into; of
the others only totals are shown.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import functools
import json
import math
import multiprocessing
import os
import random
import sys
from pathlib import Path
from typing import Any

from benchmarks.doctor import counted, results
from benchmarks.doctor.fields import section, warnings

TITLE = "Faults brought into healthy trainings"
HALVES = ("open", "kept back")
COLUMNS = ("counts", "found", "first", "called healthy")
HEAD = " | ".join(f"{half}: runs | cause found | first | called healthy" for half in HALVES)
Job = tuple[str, str, int]  # fault, training, seed
Run = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.doctor.injected", description=" ".join(__doc__.split())
    )
    parser.add_argument("--only", default="", help="faults whose name contains this")
    parser.add_argument("--family", default="", help="families whose name contains this")
    parser.add_argument("--sample", type=int, help="so many runs, drawn by chance; else all")
    parser.add_argument("--seed", type=int, default=0, help="of the sample and of its trainings")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--open", action="store_true", help="only what may be looked into")
    parser.add_argument(
        "--outcomes", type=Path, help="a file of outcomes: those in it are not run again"
    )
    parser.add_argument("--write", action="store_true", help="write benchmarks/doctor/RESULTS.md")
    options = parser.parse_args()
    if (options.only or options.family or options.open) and options.write:
        parser.error("--write is for all faults: some would replace the others' figures")
    os.environ["OMP_NUM_THREADS"] = "1"
    jobs = [
        job
        for job in possible_jobs(options.seed)
        if options.only in job[0]
        and options.family in family_of(job[1])
        and not (options.open and is_kept_back(job[1]))
    ]
    if options.sample is not None and options.sample < len(jobs):
        jobs = random.Random(options.seed).sample(jobs, options.sample)
    lines = report(run(jobs, options.jobs, options.outcomes))
    print("\n".join(lines))
    if options.write:
        results.put(TITLE, lines)
    return 0


def possible_jobs(seed: int) -> list[Job]:
    """Every fault in every healthy training."""
    from benchmarks.doctor.cases.field import FAMILIES
    from benchmarks.doctor.cases.injected import FAULTS

    return [
        (fault, case.name, seed)
        for fault in FAULTS
        for cases in FAMILIES.values()
        for case in cases
    ]


@functools.cache
def families() -> dict[str, str]:
    """The family of each training."""
    from benchmarks.doctor.cases.field import FAMILIES

    return {case.name: family for family, cases in FAMILIES.items() for case in cases}


def family_of(training: str) -> str:
    return families()[training]


def is_kept_back(training: str) -> bool:
    """Whether its family is of the half of which only totals are shown: a lot that does not change
    when families are added.
    """
    return random.Random(family_of(training)).random() < 0.5


def run(jobs: list[Job], workers: int, file: Path | None) -> list[Run]:
    """The outcomes of `jobs`; those that `file` has are taken from it, others added to it."""
    rows = file.read_text(encoding="utf-8").splitlines() if file and file.exists() else []
    outcomes = {key(row): row for row in map(json.loads, rows)}
    faults: dict[tuple[str, int], list[str]] = {}
    for fault, training, seed in jobs:
        if (fault, training, seed) not in outcomes:
            faults.setdefault((training, seed), []).append(fault)
    with concurrent.futures.ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), quiet
    ) as pool:
        for future in concurrent.futures.as_completed(
            pool.submit(examine, training, seed, names)
            for (training, seed), names in faults.items()
        ):
            for row in future.result():
                outcomes[key(row)] = row
                if file is not None:
                    with file.open("a", encoding="utf-8") as lines:
                        lines.write(json.dumps(row) + "\n")
    return [outcomes[job] for job in jobs]


def key(row: Run) -> Job:
    return row["fault"], row["training"], row["seed"]


def quiet() -> None:
    """One thread, and no word of warning."""
    import warnings

    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")


def examine(training: str, seed: int, faults: list[str]) -> list[Run]:
    """One training untouched, then with each of the faults."""
    from benchmarks.doctor.cases.injected import FAULTS

    score, steps = untouched(training, seed)
    return [examine_fault(FAULTS[name], training, seed, score, steps) for name in faults]


def untouched(training: str, seed: int) -> tuple[float, int]:
    """The score and the steps of the training as it is, unwatched."""
    from benchmarks.doctor.cases.injected.injection import Injection

    with Injection(None).entered():
        outcome = case_of(training).run(seed)
    return outcome.score, outcome.steps


def case_of(training: str) -> Any:
    from benchmarks.doctor.cases.field import FAMILIES

    return next(case for case in FAMILIES[family_of(training)] if case.name == training)


def examine_fault(fault: Any, training: str, seed: int, score: float, steps: int) -> Run:
    """The training with a fault; what is said of it only where it may be looked into."""
    from benchmarks.doctor.cases.injected.injection import Injection

    row: Run = {"fault": fault.name, "training": training, "seed": seed, "untouched": score}
    injection = Injection(fault.apply, steps, seed)
    try:
        with injection.entered():
            outcome = case_of(training).run(seed)
    except Exception as failure:  # this training cannot have this fault
        reason = "" if is_kept_back(training) else f"{type(failure).__name__}: {failure}"[:150]
        return {**row, "broken": True, "failure": reason}
    conditions = warnings({"findings": outcome.findings})
    row |= {
        "score": outcome.score,
        "counts": injection.touched > 0 and (fault.structural or fails(outcome.score, score)),
        "found": any(condition in fault.conditions for condition in conditions),
        "first": bool(conditions) and conditions[0] in fault.conditions,
        "called healthy": not conditions,
    }
    return row if is_kept_back(training) else {**row, "conditions": conditions}


def fails(score: float, untouched: float) -> bool:
    """Whether a score is clearly below that of the untouched training, which learns."""
    if untouched < counted.SHOWS:
        return False
    return not math.isfinite(score) or score <= min(
        counted.LEARNED * untouched, untouched - counted.SHOWS
    )


def report(outcomes: list[Run]) -> list[str]:
    """The tables, as Markdown."""
    from benchmarks.doctor.cases.injected import FAULTS

    rows = {name: {half: collections.Counter[str]() for half in HALVES} for name in FAULTS}
    missed, broken = [], 0
    for run in outcomes:
        half = HALVES[is_kept_back(run["training"])]
        broken += "broken" in run
        if not run.get("counts"):
            continue
        rows[run["fault"]][half].update({name: int(run[name]) for name in COLUMNS})
        if half == "open" and not run["first"]:
            missed.append(
                f"| {run['fault']} | {run['training'].removeprefix('field: ')} | {run['seed']} | "
                f"{run['untouched']:.2f} → {run['score']:.2f} | {', '.join(run['conditions'])} |"
            )
    total = {
        half: sum((row[half] for row in rows.values()), collections.Counter[str]())
        for half in HALVES
    }
    return [
        f"# {TITLE}",
        "",
        f"{len(outcomes)} runs; {broken} trainings cannot have the fault, and of others the score "
        "does not show it.",
        "",
        f"| fault | {HEAD} |",
        "|---" * (1 + len(COLUMNS) * len(HALVES)) + "|",
        *(line(name, row) for name, row in rows.items() if any(row.values())),
        line("all", total),
        *section(
            "Not first, in the open half", "| fault | training | seed | score | said |", missed
        ),
    ]


def line(name: str, row: dict[str, collections.Counter[str]]) -> str:
    """A row of the table."""
    cells = []
    for half in HALVES:
        runs = row[half]["counts"]
        cells.append(str(runs))
        cells += [
            f"{row[half][column]} ({100 * row[half][column] / runs:.0f} %)" if runs else ""
            for column in COLUMNS[1:]
        ]
    return f"| {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
