"""`python -m benchmarks.doctor.field_faults`: how often the doctor names what is wrong with faulty
trainings from the field, and how often it accuses their healthy twins.

A faulty run counts where it fails, a twin where it learns, by the scores that each pair states.
Warnings and errors are judged; remarks and symptoms folded under another finding are not. Each
outcome is shown for the families that may be looked into, of the others only totals.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import json
import multiprocessing
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.doctor import results
from benchmarks.doctor.fields import Key, read, section, warnings
from benchmarks.doctor.work import run

if TYPE_CHECKING:
    from benchmarks.doctor.cases.field_faults.pair import Pair

TITLE = "Faulty trainings from the field"
COUNTS = ("faulty", "found", "first", "called healthy", "twins", "accused", "crashed")
HEAD = "faulty runs | right cause found | first | called healthy | twins | accused | crashed"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.doctor.field_faults", description=" ".join(__doc__.split())
    )
    parser.add_argument("--only", default="", help="families whose name contains this")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--outcomes", type=Path, help="a file of outcomes: those in it are not run again"
    )
    parser.add_argument("--write", action="store_true", help="write benchmarks/doctor/RESULTS.md")
    options = parser.parse_args()
    if options.only and options.write:
        parser.error("--write is for all families: some would replace the others' figures")
    from benchmarks.doctor.cases.field_faults import FAMILIES

    os.environ["OMP_NUM_THREADS"] = "1"
    outcomes = read(options.outcomes)
    jobs = [
        (name, seed)
        for seed in range(options.seeds)
        for family, pairs in FAMILIES.items()
        if options.only in family
        for pair in pairs
        for name in pair.names
    ]
    with concurrent.futures.ProcessPoolExecutor(
        options.jobs, multiprocessing.get_context("spawn")
    ) as pool:
        open_jobs = [job for job in jobs if job not in outcomes]
        for outcome in pool.map(examine, *zip(*open_jobs, strict=True)) if open_jobs else ():
            outcomes[outcome["name"], outcome["seed"]] = outcome
            if options.outcomes is not None:
                with options.outcomes.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(outcome) + "\n")
    lines = report({job: outcomes[job] for job in jobs}, options.seeds)
    print("\n".join(lines))
    if options.write:
        results.put(TITLE, lines)
    return int(any("failure" in outcomes[job] for job in jobs))


def examine(name: str, seed: int) -> dict[str, Any]:
    """One run and the verdict on what was said of it; of a family that is kept back, not what."""
    from benchmarks.doctor.cases.field_faults import EXAM

    case = EXAM[name]
    outcome = run(case, seed)
    if "failure" in outcome:
        return {**outcome, "failure": "kept back"} if case.kept_back else outcome
    conditions = warnings(outcome)
    verdict = {
        "name": name,
        "seed": seed,
        "score": outcome["score"],
        "warned": bool(conditions),
        "found": any(condition in case.conditions for condition in conditions),
        "first": bool(conditions) and conditions[0] in case.conditions,
    }
    return verdict if case.kept_back else {**verdict, "conditions": conditions}


def added(pair: Pair, faulty: bool, outcome: dict[str, Any]) -> set[str]:
    """The counts that a run of `pair` adds to."""
    kind = "faulty" if faulty else "twins"
    if "failure" in outcome:
        return {kind, "crashed"}
    score, warned = outcome["score"], outcome["warned"]
    if not (score <= pair.fails if faulty else score >= pair.learns):
        return {"left out"}
    if not faulty:
        return {kind, "accused"} if warned else {kind}
    verdicts = {"found": outcome["found"], "first": outcome["first"], "called healthy": not warned}
    return {kind, *(verdict for verdict, is_so in verdicts.items() if is_so)}


def report(outcomes: dict[Key, dict[str, Any]], seeds: int) -> list[str]:
    """The tables, as Markdown."""
    from benchmarks.doctor.cases.field_faults import FAMILIES, KEPT_BACK

    halves = {half: collections.Counter[str]() for half in ("open", "kept back")}
    families, misses, alarms, failures = [], [], [], []
    for family, pairs in FAMILIES.items():
        count: collections.Counter[str] = collections.Counter()
        runs = [
            (pair, faulty, outcome)
            for pair in pairs
            for faulty, name in zip((True, False), pair.names, strict=True)
            for (run_name, _), outcome in outcomes.items()
            if run_name == name
        ]
        for pair, faulty, outcome in runs:
            counts = added(pair, faulty, outcome)
            count.update(counts)
            if family in KEPT_BACK:
                continue
            row = f"| {outcome['name']} | {outcome['seed']} |"
            named = ", ".join(outcome.get("conditions", ())) or "nothing"
            if "crashed" in counts:
                failures.append(f"{row} {outcome['failure'][:150]} |")
            elif "accused" in counts:
                alarms.append(f"{row} {outcome['score']:.3f} | {named} |")
            elif "faulty" in counts and "found" not in counts:
                misses.append(f"{row} {outcome['score']:.3f} | {pair.conditions[0]} | {named} |")
        halves["kept back" if family in KEPT_BACK else "open"].update(count)
        if runs and family not in KEPT_BACK:
            families.append(f"| {family.replace('_', ' ')} | {numbers(count)} |")

    left_out = sum(half["left out"] for half in halves.values())
    return [
        f"# {TITLE}",
        "",
        f"{seeds} seeds each; {left_out} runs are left out, for the fault did not show or the twin "
        "did not learn. A run that crashes counts, and nothing was found in it.",
        "",
        f"| half | {HEAD} |",
        "|---|" + "---|" * len(COUNTS),
        *(f"| {name} | {shares(half)} |" for name, half in halves.items()),
        *section("Crashed, in the open half", "| case | seed | why |", failures),
        *section(
            "Right cause not found, in the open half",
            "| case | seed | score | right | warned of |",
            misses,
        ),
        *section(
            "Twins accused, in the open half",
            "| case | seed | score | warned of |",
            alarms,
        ),
        *section("The families of the open half", f"| family | {HEAD} |", families),
    ]


def numbers(count: collections.Counter[str]) -> str:
    """The cells of a family's row."""
    return " | ".join(str(count[key]) for key in COUNTS)


def shares(count: collections.Counter[str]) -> str:
    """The cells of a half's row: numbers, and their share of the faulty runs or of the twins."""
    whole = {"accused": "twins", **dict.fromkeys(("found", "first", "called healthy"), "faulty")}
    return " | ".join(
        f"{count[key]} ({100 * count[key] / max(count[whole[key]], 1):.1f} %)"
        if key in whole
        else str(count[key])
        for key in COUNTS
    )


if __name__ == "__main__":
    sys.exit(main())
