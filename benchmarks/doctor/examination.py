"""What the examinations share: faulty trainings and twins that learn, of which the doctor was told
nothing, run over several seeds, counted, and reported in an open half and one that is kept back.

A faulty run counts where it fails, a twin where it learns, by the scores that each pair states.
Warnings and errors are judged; remarks and symptoms folded under another finding are not. Each
outcome is shown for the cases that may be looked into, of the others only totals.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import importlib
import json
import multiprocessing
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.doctor import results
from benchmarks.doctor.fields import Key, read, section, warnings
from benchmarks.doctor.work import run

if TYPE_CHECKING:
    from benchmarks.doctor.cases.field_faults.pair import Pair
    from benchmarks.doctor.loop import Case

COUNTS = ("faulty", "found", "first", "called healthy", "twins", "accused", "crashed")
BORDERS = (0.0, 0.6, 0.7, 0.8, 0.9)  # of the stated confidence
HEAD = "faulty runs | right cause found | first | called healthy | twins | accused | crashed"


@dataclass(frozen=True)
class Examination:
    """`package`, of `benchmarks.doctor.cases`, has the pairs by family in `FAMILIES` and the case
    of each name in `EXAM`.
    """

    title: str
    package: str

    @property
    def families(self) -> dict[str, list[Pair]]:
        """The pairs of each family."""
        families: dict[str, list[Pair]] = self._cases.FAMILIES
        return families

    @property
    def cases(self) -> dict[str, Case]:
        """The cases by their names."""
        cases: dict[str, Case] = self._cases.EXAM
        return cases

    @property
    def _cases(self) -> Any:
        return importlib.import_module(f"benchmarks.doctor.cases.{self.package}")

    def main(self, description: str) -> int:
        """Run what the command line asks for, and print the report; 1 where a run crashed."""
        parser = argparse.ArgumentParser(
            prog=f"python -m benchmarks.doctor.{self.package}",
            description=" ".join(description.split()),
        )
        parser.add_argument("--only", default="", help="families whose name contains this")
        parser.add_argument("--seeds", type=int, default=3)
        parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
        parser.add_argument(
            "--outcomes", type=Path, help="a file of outcomes: those in it are not run again"
        )
        parser.add_argument(
            "--open", action="store_true", help="those alone that may be looked into"
        )
        parser.add_argument(
            "--write", action="store_true", help="write benchmarks/doctor/RESULTS.md"
        )
        options = parser.parse_args()
        if (options.only or options.open) and options.write:
            parser.error("--write is for all of them: some would replace the others' figures")
        jobs = [
            (name, seed)
            for seed in range(options.seeds)
            for family, pairs in self.families.items()
            if options.only in family
            for pair in pairs
            for name in pair.names
            if not (options.open and self.cases[name].kept_back)
        ]
        outcomes = self.run(jobs, options.jobs, options.outcomes)
        lines = self.report({job: outcomes[job] for job in jobs}, options.seeds)
        print("\n".join(lines))
        if options.write:
            results.put(self.title, lines)
        return int(any("failure" in outcomes[job] for job in jobs))

    def run(self, jobs: list[Key], workers: int, file: Path | None) -> dict[Key, dict[str, Any]]:
        """The outcomes of `jobs`; those that `file` has are taken from it, others added to it."""
        os.environ["OMP_NUM_THREADS"] = "1"
        outcomes = read(file)
        with concurrent.futures.ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn")
        ) as pool:
            open_jobs = [job for job in jobs if job not in outcomes]
            for outcome in (
                pool.map(self.examine, *zip(*open_jobs, strict=True)) if open_jobs else ()
            ):
                outcomes[outcome["name"], outcome["seed"]] = outcome
                if file is not None:
                    with file.open("a", encoding="utf-8") as lines:
                        lines.write(json.dumps(outcome) + "\n")
        return outcomes

    def examine(self, name: str, seed: int) -> dict[str, Any]:
        """One run and the verdict on what was said of it; of a case that is kept back, not what."""
        case = self.cases[name]
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
            "stated": [
                (f["confidence"], f["condition"] in case.conditions)
                for f in outcome["findings"]
                if f["severity"] != "info"
            ],
        }
        return verdict if case.kept_back else {**verdict, "conditions": conditions}

    def report(self, outcomes: dict[Key, dict[str, Any]], seeds: int) -> list[str]:
        """The tables, as Markdown."""
        halves = {half: collections.Counter[str]() for half in ("open", "kept back")}
        sure = {half: collections.Counter[tuple[float, bool]]() for half in halves}
        families, misses, alarms, failures = [], [], [], []
        for family, pairs in self.families.items():
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
                kept_back = self.cases[outcome["name"]].kept_back
                half = "kept back" if kept_back else "open"
                halves[half].update(counts)
                if "left out" not in counts:
                    sure[half].update(
                        (max(border for border in BORDERS if border <= confidence), right)
                        for confidence, right in outcome.get("stated", ())
                    )
                if kept_back:
                    continue
                count.update(counts)
                row = f"| {outcome['name']} | {outcome['seed']} |"
                named = ", ".join(outcome.get("conditions", ())) or "nothing"
                if "crashed" in counts:
                    failures.append(f"{row} {outcome['failure'][:150]} |")
                elif "accused" in counts:
                    alarms.append(f"{row} {outcome['score']:.3f} | {named} |")
                elif "faulty" in counts and "found" not in counts:
                    misses.append(
                        f"{row} {outcome['score']:.3f} | {pair.conditions[0]} | {named} |"
                    )
            if count:
                families.append(f"| {family.replace('_', ' ')} | {numbers(count)} |")

        left_out = sum(half["left out"] for half in halves.values())
        return [
            f"# {self.title}",
            "",
            f"{seeds} seeds each; {left_out} runs are left out, for the fault did not show or the "
            "twin did not learn. A run that crashes counts, and nothing was found in it.",
            "",
            f"| half | {HEAD} |",
            "|---|" + "---|" * len(COUNTS),
            *(f"| {name} | {shares(half)} |" for name, half in halves.items()),
            *confidence_table(sure),
            *section("Crashed, in the open half", "| case | seed | why |", failures),
            *section(
                "Right cause not found, in the open half",
                "| case | seed | score | right | warned of |",
                misses,
            ),
            *section(
                "Twins accused, in the open half", "| case | seed | score | warned of |", alarms
            ),
            *section("The families of the open half", f"| family | {HEAD} |", families),
        ]


def confidence_table(sure: dict[str, collections.Counter[tuple[float, bool]]]) -> list[str]:
    """How often warnings and errors of a stated confidence are right, over all of a half's runs:
    those of healthy twins are wrong.
    """
    rows = []
    for half, count in sure.items():
        for border in BORDERS:
            right, total = count[border, True], count[border, True] + count[border, False]
            if total:
                rows.append(
                    f"| {half} | {border:g} | {right} of {total} ({100 * right / total:.0f} %) |"
                )
    return section("Stated confidence", "| half | stated, from | right |", rows)


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
