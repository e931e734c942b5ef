"""`python -m benchmarks.doctor.remedies`: are the doctor's remedies proven by training again, and do those that are proven cure?

Each faulty training in which the fault shows (`counted`, on the cured twin's seeds 0 to 4) is watched and diagnosed, and its remedies are
tried with `diagnosis.try_remedies(retrain)`, which ends with the first that is proven. Untouched and remedied, the case is then trained on
five further seeds. Nothing of the twin is known to the doctor.

A fault is *curable* if the median of its cured twin is at least .03 better than this run, and the fault is none of `INCURABLE`. A remedy
*cures* if on the further seeds its median reaches half of the way from the untouched median to the twin's, and .03 above untouched.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import multiprocessing
import os
import statistics
import sys
import time
import warnings
from typing import Any

from benchmarks.doctor import counted, results
from benchmarks.doctor.peers.__main__ import quiet

TITLE = "Remedies, proven"
FRESH = 5  # seeds on which a proven remedy has to cure
TWINS = 5  # seeds of the cured twin
PROVEN, CURED = 0.85, 0.95  # targets
INCURABLE = {
    "labels_unrelated": "the targets have nothing to do with the inputs, so that nothing learns them",
    "train_valid_mismatch": "the two parts ask different questions, and which of them is right only their owner knows"}

Run = dict[str, Any]  # one case for one seed, as plain values


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.doctor.remedies", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--budget", type=float, default=60.0, help="seconds for the trials of a run (default 60)")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {results.FILE.name}")
    asked = parser.parse_args()
    from benchmarks.doctor.cases import CASES

    chosen = [name for name in CASES if asked.only in name and CASES[name].kind == "faulty" and CASES[name].twin]
    os.environ["OMP_NUM_THREADS"] = "1"
    began = time.perf_counter()
    with concurrent.futures.ProcessPoolExecutor(asked.jobs, multiprocessing.get_context("spawn"), quiet) as pool:
        twins = [(name, seed) for name in sorted({CASES[name].twin for name in chosen}) for seed in range(TWINS)]
        cured: dict[str, list[float]] = collections.defaultdict(list)  # each twin is trained once, for all its cases
        for (name, _), found in zip(twins, pool.map(alone, *zip(*twins, strict=True), chunksize=TWINS), strict=True):
            cured[name].append(found)
        waiting = [pool.submit(turn, name, seed, cured[CASES[name].twin], asked.budget) for name in chosen for seed in range(asked.seeds)]
        for done, _ in enumerate(concurrent.futures.as_completed(waiting), 1):
            if sys.stderr.isatty():
                print(f"\r{done} of {len(waiting)} faulty trainings", end="", file=sys.stderr, flush=True)
    runs = [future.result() for future in waiting]
    lines = report(runs, asked.seeds, asked.budget, time.perf_counter() - began)
    print("\n".join(lines))
    if asked.write:
        results.put(TITLE, lines)
    return int(any("failure" in run for run in runs))


def alone(name: str, seed: int) -> float:
    """The score of a case for one seed, unwatched."""
    return score(name, {}, seed)


def score(name: str, change: dict[str, str], seed: int) -> float:
    """The score of a case with a change. Raises `ArgumentError` where the change cannot be made, or the loop then fails."""
    import torch

    from benchmarks.doctor import loop
    from benchmarks.doctor.cases import CASES
    from benchmarks.doctor.change import Stopped, apply
    from sevensteps.errors import ArgumentError

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    setup = CASES[name].build(seed)
    apply(setup, change, seed)
    try:
        return loop.run(setup, seed, watch=False).score
    except Stopped:
        return loop.score(setup)
    except (RuntimeError, ValueError, TypeError, IndexError) as failure:
        if not change:
            raise
        raise ArgumentError(f"with this change the loop fails: {failure}") from None


def turn(name: str, seed: int, cured: list[float], budget: float) -> Run:
    """One faulty training: diagnosed, its remedies tried, and the proven one tried on seeds that no trial has seen."""
    import torch

    from benchmarks.doctor.cases import CASES
    from benchmarks.doctor.loop import run

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    case = CASES[name]
    held: Run = {"name": name, "seed": seed, "twin": statistics.median(cured)}
    try:
        outcome = run(case.build(seed), seed)
        held["score"] = outcome.score
        held["shown"] = bool(counted.shown(case, [held], [{"score": value} for value in cured]))
        if not held["shown"]:
            return held
        began = time.perf_counter()
        trials = outcome.diagnosis.try_remedies(lambda change, seed: score(name, change, trial_seed(held["seed"], seed)), budget=budget,
                                                until_proven=True)
        proven = next((trial for trial in trials if trial.proven), None)
        held |= {"seconds": time.perf_counter() - began, "trials": [trial.to_dict() | {"verdict": trial.verdict} for trial in trials],
                 "proven": None if proven is None else proven.to_dict(), "findings": outcome.findings}
        if proven is not None:
            seeds = [fresh_seed(seed, index) for index in range(FRESH)]
            held["fresh"] = [score(name, {}, s) for s in seeds], [score(name, proven.change, s) for s in seeds]
    except Exception as failure:  # a case that fails is said, not lost
        held["failure"] = f"{type(failure).__name__}: {failure}"
    return held


def trial_seed(seed: int, index: int) -> int:
    """The seed of the trials' `index`-th training: the first is the one that was watched, and no other run has one of them."""
    return seed + 100 * index


def fresh_seed(seed: int, index: int) -> int:
    """The seeds that a proven remedy has to cure on: none of any trial."""
    return 10_000 + seed + 100 * index


def curable(run: Run) -> str:
    """Why a fault is not curable, or ""."""
    from benchmarks.doctor.cases import CASES

    if run["twin"] - run["score"] < counted.SHOWS:
        return f"its twin is not {counted.SHOWS} better"
    return INCURABLE.get(CASES[run["name"]].conditions[0], "")


def cures(untouched: list[float], remedied: list[float], twin: float) -> bool:
    """Whether the remedied median is half of the way to the twin's, and enough above the untouched one to show."""
    before, after = statistics.median(untouched), statistics.median(remedied)
    return after >= (before + twin) / 2 and after >= before + counted.SHOWS


def why_not(run: Run) -> str:
    """What became of the remedies of a run that has none proven: of each finding whether it had a change, and of each trial the verdict."""
    loud = [finding for finding in run["findings"] if finding["severity"] != "info"]
    if not loud:
        return "nothing found"
    advice = [finding["condition"] for finding in loud if not any(remedy["change"] for remedy in finding["remedies"])]
    said = [f"{trial['condition']}: {spelled(trial['change'])}: {trial['verdict']}" for trial in run["trials"]]
    return "; ".join([*said, *(f"{condition}: advice only" for condition in advice)])


def spelled(change: dict[str, str]) -> str:
    """A change as a reader sees it."""
    return ", ".join(f"{step}={value}" for step, value in change.items())


def report(runs: list[Run], seeds: int, budget: float, seconds: float) -> list[str]:
    """The tables, as Markdown."""
    shown = [run for run in runs if run.get("shown") and "failure" not in run]
    sick = [run for run in shown if not curable(run)]
    proven = [run for run in shown if run["proven"]]
    cured = [run for run in proven if cures(*run["fresh"], run["twin"])]
    useless = [run for run in proven if curable(run)]
    rows, failed = [], []
    for run in shown:
        if run["proven"] is None:
            failed.append(f"| {run['name']} | {run['seed']} | {curable(run) or 'curable'} | {why_not(run).replace('|', 'or')} |")
            continue
        trial, (before, after) = run["proven"], (statistics.median(part) for part in run["fresh"])
        low, high = trial["interval"]
        rows.append(f"| {run['name']} | {run['seed']} | {trial['condition']} | {spelled(trial['change']).replace('|', 'or')} | "
                    f"{trial['difference']:+.3f} ({low:+.3f} to {high:+.3f}) | {before:.3f} → {after:.3f} | {run['twin']:.3f} | "
                    f"{'yes' if run in cured else '**no**'}{', not counted: ' + curable(run) if curable(run) else ''} |")
    count = [run for run in proven if run not in useless]
    cured = [run for run in cured if run not in useless]
    return [
        f"# {TITLE}", "",
        f"{len(shown)} faulty runs in which the fault shows, of {len(runs)} ({seeds} {'seed' if seeds == 1 else 'seeds'} each), "
        f"{len(sick)} of them curable; {budget:g} s for the trials of a run, {seconds / 60:.1f} minutes in all.", "",
        "| measure | | target | |", "|---|---|---|---|",
        _line("curable faults with a proven remedy", len(count), len(sick), PROVEN),
        _line("proven remedies of curable faults that cure on five fresh seeds", len(cured), len(count), CURED), "",
        *(f"- {run['name']}, seed {run['seed']}, **failed: {run['failure'][:200]}**" for run in runs if "failure" in run),
        f"Not curable, because {_because(shown)}." if len(shown) > len(sick) else "", "", "## Proven", "",
        "| case | seed | finding | remedy | effect in the trials (95 % interval) | five fresh seeds, medians | twin | cured |",
        "|---|---|---|---|---|---|---|---|", *rows, "", "## Not proven", "", "| case | seed | curable | what was tried |",
        "|---|---|---|---|", *failed]


def _line(what: str, part: int, whole: int, target: float) -> str:
    return (f"| {what} | {part} of {whole} ({100 * part / max(whole, 1):.1f} %) | {target:.0%} | "
            f"{'met' if part >= target * whole else '**missed**'} |")


def _because(shown: list[Run]) -> str:
    reasons: dict[str, list[str]] = collections.defaultdict(list)
    for run in shown:
        if reason := curable(run):
            reasons[reason].append(f"{run['name']} ({run['seed']})")
    return "; ".join(f"{reason}: {', '.join(names)}" for reason, names in reasons.items())


if __name__ == "__main__":
    sys.exit(main())
