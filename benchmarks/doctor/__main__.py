"""`python -m benchmarks.doctor`: every case over several seeds, and how often the doctor was right.

Which runs count says `counted`: a fault that does not show for a seed is left out.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import multiprocessing
import os
import statistics
import sys
from typing import Any

from benchmarks.doctor import counted, results
from benchmarks.doctor.work import work

TITLE = "The doctor, measured"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.doctor", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", action="store_true", help="write benchmarks/doctor/RESULTS.md")
    options = parser.parse_args()
    if options.only and options.write:
        parser.error("--write is for all cases: those of --only would replace the others' figures")
    from benchmarks.doctor.cases import CASES

    chosen = [name for name in CASES if options.only in name]
    twins = {CASES[name].twin for name in chosen} - {""} - set(chosen)
    os.environ["OMP_NUM_THREADS"] = "1"
    jobs = [(name, seed) for name in (*chosen, *twins) for seed in range(options.seeds)]
    with concurrent.futures.ProcessPoolExecutor(
        options.jobs, multiprocessing.get_context("spawn")
    ) as pool:
        outcomes = list(pool.map(work, *zip(*jobs, strict=True), chunksize=3))
    runs: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)
    for outcome in outcomes:
        runs[outcome["name"]].append(outcome)
    lines = report({name: runs[name] for name in chosen}, runs, options.seeds)
    print("\n".join(lines))
    if options.write:
        results.put(TITLE, lines)
    return int(any("failure" in outcome for outcome in outcomes))


def report(
    chosen: dict[str, list[dict[str, Any]]], runs: dict[str, list[dict[str, Any]]], seeds: int
) -> list[str]:
    """The tables, as Markdown."""
    from benchmarks.doctor.cases import CASES
    from sevensteps.doctor.conditions import condition

    count: collections.Counter[str] = collections.Counter()
    rows, alarms, calibration = [], [], collections.Counter[str]()
    # findings at .9 or surer that are not among the right ones
    beside: collections.Counter[tuple[str, str]] = collections.Counter()
    for name, outcomes in chosen.items():
        case = CASES[name]
        for outcome in (o for o in outcomes if "failure" in o):
            rows.append(
                f"| {name} | {outcome['seed']} | **failed: {outcome['failure'][:150]}** | | |"
            )
        done = [o for o in outcomes if "failure" not in o]
        if case.kind != "faulty":
            learned = counted.learned(done)
            count["healthy runs"] += len(learned)
            count["not learned"] += len(done) - len(learned)
            for o in learned:
                loud = [f for f in o["findings"] if f["severity"] != "info"]
                count["alarmed"] += bool(loud)
                if name.startswith("field:"):
                    count["kept back runs" if case.kept_back else "open runs"] += 1
                    count["kept back alarmed" if case.kept_back else "open alarmed"] += bool(loud)
                calibration.update(
                    f"{'>=' if f['confidence'] >= 0.9 else '<'} .9 wrong" for f in loud
                )
                if loud and not case.kept_back:
                    alarms.append(
                        f"| {name} | {o['seed']} | {o['score']:.3f} | "
                        f"{', '.join(f['condition'] for f in loud)} |"
                    )
            continue
        shown = counted.shown(case, done, [o for o in runs[case.twin] if "failure" not in o])
        count["left out"] += len(done) - len(shown)
        right_step = {condition(c).STEP for c in case.conditions}
        hit = first = blamed = 0
        named: collections.Counter[str] = collections.Counter()
        for o in shown:
            top = [f for f in o["findings"] if f["severity"] != "info"]
            every = [f["condition"] for f in _flat(o["findings"])]
            hit += any(c in every for c in case.conditions)
            first += bool(top) and top[0]["condition"] in case.conditions
            blamed += bool(top) and top[0]["step"] in right_step
            named.update([top[0]["condition"] if top else "nothing"])
            calibration.update(
                f"{'>=' if f['confidence'] >= 0.9 else '<'} .9 "
                f"{'right' if f['condition'] in case.conditions else 'wrong'}"
                for f in top
            )
            beside.update(
                (name, f["condition"])
                for f in top
                if f["confidence"] >= 0.9 and f["condition"] not in case.conditions
            )
        for key, value in (
            ("faulty runs", len(shown)),
            ("found", hit),
            ("first", first),
            ("blamed", blamed),
        ):
            count[key] += value
        scores = [o["score"] for o in done]
        rows.append(
            f"| {name} | {len(shown)} of {len(done)} | "
            f"{statistics.median(scores) if scores else float('nan'):.3f} | {hit} / "
            f"{first} / {blamed} | "
            f"{', '.join(f'{c} {n}' for c, n in named.most_common(3))} |"
        )

    def share(part: str, whole: str) -> str:
        return f"{count[part]} of {count[whole]} ({100 * count[part] / max(count[whole], 1):.1f} %)"

    sure = calibration[">= .9 right"], calibration[">= .9 right"] + calibration[">= .9 wrong"]
    took = [o["diagnosing"] for outcomes in chosen.values() for o in outcomes if "failure" not in o]
    return [
        f"# {TITLE}",
        "",
        f"{seeds} seeds each; {count['left out']} faulty runs are left out because the fault did "
        "not show, "
        f"{count['not learned']} healthy ones "
        "because they did not learn.",
        "",
        "| measure | |",
        "|---|---|",
        "| faulty runs with a right condition among the findings | "
        f"{share('found', 'faulty runs')} |",
        f"| … ranked first | {share('first', 'faulty runs')} |",
        f"| blamed step right | {share('blamed', 'faulty runs')} |",
        f"| healthy and cured runs with a warning or error | {share('alarmed', 'healthy runs')} |",
        f"| … of these, trainings from many fields | {share('open alarmed', 'open runs')} |",
        "| … and those of the families that were kept back | "
        f"{share('kept back alarmed', 'kept back runs')} |",
        f"| findings at .9 or surer that are right | {sure[0]} of {sure[1]} |",
        f"| seconds for a diagnosis, median and longest | {statistics.median(took):.2f}, "
        f"{max(took):.2f} |",
        "",
        "## False alarms",
        "",
        "| case | seed | score | said |",
        "|---|---|---|---|",
        *alarms,
        "",
        "## Sure and not among the right answers",
        "",
        "| case | said | runs |",
        "|---|---|---|",
        *(f"| {name} | {verdict} | {runs_} |" for (name, verdict), runs_ in beside.items()),
        "",
        "## Faulty trainings",
        "",
        "| case | counted | score | found / first / step | said first |",
        "|---|---|---|---|---|",
        *rows,
    ]


def _flat(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [f for finding in findings for f in (finding, *_flat(finding["symptoms"]))]


if __name__ == "__main__":
    sys.exit(main())
