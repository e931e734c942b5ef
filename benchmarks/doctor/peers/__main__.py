"""`python -m benchmarks.doctor.peers`: what each tool says of the same trainings.

Every case is trained unwatched and once with each tool, one after another in the same process.
Which runs count is decided by the unwatched training, in the same way as for `python -m
benchmarks.doctor`."""

from __future__ import annotations

import argparse
import collections
import multiprocessing
import os
import statistics
import sys
from typing import Any

from benchmarks.doctor import counted, results
from benchmarks.doctor.peers import OURS, Tool, tools
from benchmarks.doctor.peers._turn import turn
from benchmarks.doctor.work import quiet

TITLE = "Peers on the same cases"
Outcomes = dict[str, list[dict[str, Any]]]  # case -> one for each seed


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.doctor.peers", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--tool", default="", help="tools whose name contains this")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--write", action="store_true", help=f"put the tables into {results.FILE.name}"
    )
    options = parser.parse_args()
    from benchmarks.doctor.cases import CASES

    if not (taking := tools(options.tool)):
        parser.error(
            f"no tool whose name contains {options.tool!r} is installed; there are: "
            f"{', '.join(tools())}"
        )
    chosen = [
        name for name, case in CASES.items() if options.only in name and case.build is not None
    ]
    twins = {CASES[name].twin for name in chosen} - {""} - set(chosen)
    os.environ["OMP_NUM_THREADS"] = "1"
    jobs = [
        (name, seed, options.tool) for name in (*chosen, *twins) for seed in range(options.seeds)
    ]
    runs: Outcomes = collections.defaultdict(list)
    # A fresh process now and then, as a tool may hold every training it has seen until the process
    # ends. An executor of concurrent.futures that is told so (max_tasks_per_child) was seen to hang
    # in Python 3.11.
    with multiprocessing.get_context("spawn").Pool(
        options.jobs, quiet, maxtasksperchild=20
    ) as pool:
        for done, outcome in enumerate(pool.imap(turn, jobs), 1):
            runs[outcome["name"]].append(outcome)
            if sys.stderr.isatty():
                print(f"\r{done} of {len(jobs)} trainings", end="", file=sys.stderr, flush=True)
    lines = report(taking, chosen, runs, options.seeds)
    print("\n".join(lines))
    if options.write:
        results.put(TITLE, lines)
    return int(any("failure" in outcome for outcomes in runs.values() for outcome in outcomes))


def report(taking: dict[str, Tool], chosen: list[str], runs: Outcomes, seeds: int) -> list[str]:
    """The tables, as Markdown."""
    from benchmarks.doctor.cases import CASES

    failed = [o for name in chosen for o in runs[name] if "failure" in o]
    done = {name: [o for o in outcomes if "failure" not in o] for name, outcomes in runs.items()}
    faulty = {
        name: counted.shown(CASES[name], done[name], done[CASES[name].twin])
        for name in chosen
        if CASES[name].kind == "faulty"
    }
    healthy = {name: counted.learned(done[name]) for name in chosen if CASES[name].kind != "faulty"}
    sick, well = (sum(map(len, part.values())) for part in (faulty, healthy))

    rows, says, marks = [], [], {name: {} for name in faulty}
    for label, tool in taking.items():
        count: collections.Counter[str] = collections.Counter()
        findings: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        for name, outcomes in faulty.items():
            verdicts = [judge(o["tools"][label]["said"], CASES[name].conditions) for o in outcomes]
            count.update(key for verdict in verdicts for key, true in verdict.items() if true)
            marks[name][label] = (
                f"{sum(v['condition'] for v in verdicts)} / {sum(v['anything'] for v in verdicts)}"
            )
            for o in outcomes:
                for what, loud, means in o["tools"][label]["said"]:
                    findings[what].update(
                        [
                            "faulty" if loud else "remark",
                            *(["right"] if set(means) & set(CASES[name].conditions) else []),
                        ]
                    )
        for outcomes in healthy.values():
            for o in outcomes:
                loud = [what for what, loud, _ in o["tools"][label]["said"] if loud]
                count["alarmed"] += bool(loud)
                for what in loud:
                    findings[what]["healthy"] += 1
        every = [o for outcomes in done.values() for o in outcomes]
        times = [
            o["tools"][label]["seconds"] / o["seconds"]
            for o in every
            if "seconds" in o["tools"][label]
        ]
        crashed = [o for o in every if o["tools"][label]["failure"]]
        changed = sum(not o["tools"][label].get("same", True) for o in every)
        rows.append(
            f"| {label} | {tool.version} | "
            + " | ".join(
                f"{count[key]} ({share(count[key], sick)})"
                for key in ("anything", "condition", "first", "step", "first step")
            )
            + f" | {count['alarmed']} ({share(count['alarmed'], well)}) | {len(crashed)} | "
            f"{changed} | "
            f"{statistics.median(times) if times else float('nan'):.2f} |"
        )
        if not label.startswith(OURS):  # ours are in the doctor's own tables
            says += [
                f"| {label} | {what} | {n['faulty']} | {n['remark']} | {n['right']} | "
                f"{n['healthy']} |"
                for what, n in sorted(findings.items(), key=lambda pair: -sum(pair[1].values()))
            ]
        says += [
            f"| {label} | *crashed: {why[:120].replace('|', '/')}* | {n} runs | | | |"
            for why, n in collections.Counter(
                o["tools"][label]["failure"] for o in crashed
            ).most_common(5)
        ]
    return [
        f"# {TITLE}",
        "",
        f"{sick} faulty runs and {well} healthy or cured ones of {len(chosen)} cases, {seeds} "
        f"{'seed' if seeds == 1 else 'seeds'} each, in "
        "which the fault shows, or which learned; every tool judges the same ones. A finding "
        "counts as right if any of the conditions "
        'that it may mean is right. "First" is the first warning or error in the tool\'s own '
        "order.",
        "",
        "| tool | version | says anything of a faulty run | a right condition among it | … first "
        "| the right step among it | … first | "
        "warns of a healthy run | crashed | changed the training | times as long as unwatched |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        *rows,
        "",
        *(
            f"- {o['name']}, seed {o['seed']}, **failed unwatched: {o['failure'][:150]}**"
            for o in failed
        ),
        "## What they say",
        "",
        "| tool | finding | warned in faulty runs | remarked | right | warned in healthy runs |",
        "|---|---|---|---|---|---|",
        *says,
        "",
        "## Faulty trainings",
        "",
        "Runs with a right condition / with any warning.",
        "",
        f"| case | counted | {' | '.join(taking)} |",
        "|---" * (len(taking) + 2) + "|",
        *(
            f"| {name} | {len(faulty[name])} | {' | '.join(marks[name].values())} |"
            for name in faulty
            if faulty[name]
        ),
    ]


def judge(
    findings: list[tuple[str, bool, tuple[str, ...]]], conditions: tuple[str, ...]
) -> dict[str, bool]:
    """What of a tool's findings on a faulty run is right. Remarks may be right, but are no
    warning.
    """
    from sevensteps.doctor.conditions import condition

    right, steps = set(conditions), {condition(name).STEP for name in conditions}
    loud = [set(means) for _, loud, means in findings if loud]
    top = loud[0] if loud else set()
    blamed = {condition(name).STEP for _, _, means in findings for name in means}
    return {
        "anything": bool(loud),
        "condition": any(right & set(means) for _, _, means in findings),
        "first": bool(right & top),
        "step": bool(steps & blamed),
        "first step": any(condition(name).STEP in steps for name in top),
    }


def share(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.0f} %"


if __name__ == "__main__":
    sys.exit(main())
