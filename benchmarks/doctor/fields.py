"""`python -m benchmarks.doctor.fields`: how many healthy trainings from many fields are accused, in
the families that the doctor was built on and in those that were kept back.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import json
import multiprocessing
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.doctor import counted, results
from benchmarks.doctor.work import work

TITLE = "Healthy trainings from many fields"
Key = tuple[str, int]  # name of the case, seed


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.doctor.fields", description=" ".join(__doc__.split())
    )
    parser.add_argument("--only", default="", help="families whose name contains this")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--outcomes", type=Path, help="a file of outcomes: those in it are not run again"
    )
    parser.add_argument("--write", action="store_true", help="write benchmarks/doctor/RESULTS.md")
    options = parser.parse_args()
    if options.only and options.write:
        parser.error("--write is for all families: some would replace the others' figures")
    from benchmarks.doctor.cases.field import FAMILIES

    os.environ["OMP_NUM_THREADS"] = "1"
    outcomes = read(options.outcomes)
    jobs = [
        (case.name, seed)
        for seed in range(options.seeds)
        for family, cases in FAMILIES.items()
        if options.only in family
        for case in cases
    ]
    with concurrent.futures.ProcessPoolExecutor(
        options.jobs, multiprocessing.get_context("spawn")
    ) as pool:
        open_jobs = [job for job in jobs if job not in outcomes]
        for outcome in pool.map(work, *zip(*open_jobs, strict=True)) if open_jobs else ():
            outcomes[outcome["name"], outcome["seed"]] = outcome
            if options.outcomes is not None:
                with options.outcomes.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(outcome) + "\n")
    lines = report({job: outcomes[job] for job in jobs}, options.seeds)
    print("\n".join(lines))
    if options.write:
        results.put(TITLE, lines)
    return int(any("failure" in outcome for outcome in outcomes.values()))


def read(file: Path | None) -> dict[Key, dict[str, Any]]:
    """The outcomes that `file` holds, a line each; none where there is no such file."""
    if file is None or not file.exists():
        return {}
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {(row["name"], row["seed"]): row for row in rows}


def report(outcomes: dict[Key, dict[str, Any]], seeds: int) -> list[str]:
    """The tables, as Markdown. Of families that were kept back no more than a count is said."""
    from benchmarks.doctor.cases.field import FAMILIES, KEPT_BACK

    halves = {half: collections.Counter[str]() for half in ("built on", "kept back")}
    rows, alarms, failures = [], [], []
    for family, cases in FAMILIES.items():
        half = "kept back" if family in KEPT_BACK else "built on"
        count: collections.Counter[str] = collections.Counter()
        for case in cases:
            runs = [outcome for (name, _), outcome in outcomes.items() if name == case.name]
            failures += [f"| {case.name} | {o['failure'][:150]} |" for o in runs if "failure" in o]
            trained = [o for o in runs if "failure" not in o]
            learned = counted.learned(trained)
            accused = [o for o in learned if warnings(o)]
            count["trainings"] += bool(runs)
            count["runs"] += len(learned)
            count["not learned"] += len(trained) - len(learned)
            count["accused"] += len(accused)
            if half == "built on":
                alarms += [
                    f"| {case.name} | {o['seed']} | {o['score']:.3f} | {', '.join(warnings(o))} |"
                    for o in accused
                ]
        halves[half].update(count)
        halves[half]["families"] += bool(count["trainings"])
        if half == "built on" and count["trainings"]:
            rows.append(
                f"| {family.replace('_', ' ')} | {count['trainings']} | {count['runs']} | "
                f"{count['accused']} |"
            )
    return [
        f"# {TITLE}",
        "",
        f"{seeds} seeds each. A run counts where it learned; "
        f"{sum(half['not learned'] for half in halves.values())} did not.",
        "",
        "| half | families | trainings | runs | with a warning or error |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {half['families']} | {half['trainings']} | {half['runs']} | "
            f"{half['accused']} ({100 * half['accused'] / max(half['runs'], 1):.1f} %) |"
            for name, half in halves.items()
        ),
        *section("Failed", "| case | why |", failures),
        *section("False alarms, in the half built on", "| case | seed | score | said |", alarms),
        *section("The half built on", "| family | trainings | runs | accused |", rows),
    ]


def warnings(outcome: dict[str, Any]) -> list[str]:
    """The conditions that were said of a run as a warning or an error."""
    return [f["condition"] for f in outcome["findings"] if f["severity"] != "info"]


def section(title: str, head: str, rows: Iterable[str]) -> list[str]:
    """A table with its title; nothing where it has no row."""
    rows = list(rows)
    rule = "|" + "---|" * (head.count("|") - 1)
    return ["", f"## {title}", "", head, rule, *rows] if rows else []


if __name__ == "__main__":
    sys.exit(main())
