"""`python -m benchmarks.doctor.remedies`: are the doctor's remedies proven by training again, and
do those that are proven cure?

Each faulty training in which the fault shows (`counted`, on the cured twin's seeds 0 to 4) is
watched and diagnosed, and its remedies are tried with `diagnosis.try_remedies(retrain)`, which ends
with the first that is proven. What is proven is then tried on five fresh seeds, which neither the
watched training nor a trial has seen; untouched and cured, the case is trained on the same five.
The doctor knows nothing of the twin.

On the fresh seeds, medians: a fault is *curable* if its twin is at least .03 better than it, and it
is none of `INCURABLE`. A remedy *cures* if it reaches half of the way from untouched to the twin,
and .03 above untouched. An r2 below 0, worse than no answer, counts as 0 there, so that half of the
way from a diverged training is no empty word."""

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
from benchmarks.doctor.work import quiet

TITLE = "Remedies, proven"
FRESH = 5  # seeds on which a proven remedy has to cure
TWINS = 5  # seeds of the cured twin
PROVEN, CURED = 0.85, 0.95  # targets
INCURABLE = {  # true causes that no change of a training cures
    "labels_unrelated": "the targets have nothing to do with the inputs",
    "train_valid_mismatch": "the two parts ask different questions, and which of them is right "
    "only their owner knows",
    "overfitting": "150 samples are too few: early stopping, weight decay, dropout and fewer "
    "units bring less than .01",
}

Run = dict[str, Any]  # one case for one seed, as plain values


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.doctor.remedies", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--budget", type=float, default=60.0, help="seconds for the trials of a run (default 60)"
    )
    parser.add_argument(
        "--write", action="store_true", help=f"put the tables into {results.FILE.name}"
    )
    options = parser.parse_args()
    from benchmarks.doctor.cases import CASES

    chosen = [
        name
        for name in CASES
        if options.only in name and CASES[name].kind == "faulty" and CASES[name].twin
    ]
    os.environ["OMP_NUM_THREADS"] = "1"
    began = time.perf_counter()
    with concurrent.futures.ProcessPoolExecutor(
        options.jobs, multiprocessing.get_context("spawn"), quiet
    ) as pool:
        twins = sorted({CASES[name].twin for name in chosen})
        asking = [
            (name, seeds)
            for name in twins
            for seeds in [range(TWINS), *map(fresh, range(options.seeds))]
        ]
        # each twin once, for all its cases
        known = dict(zip(asking, pool.map(alone, *zip(*asking, strict=True)), strict=True))
        waiting = [
            pool.submit(
                turn,
                name,
                seed,
                known[CASES[name].twin, range(TWINS)],
                known[CASES[name].twin, fresh(seed)],
                options.budget,
            )
            for name in chosen
            for seed in range(options.seeds)
        ]
        for done, _ in enumerate(concurrent.futures.as_completed(waiting), 1):
            if sys.stderr.isatty():
                print(
                    f"\r{done} of {len(waiting)} faulty trainings",
                    end="",
                    file=sys.stderr,
                    flush=True,
                )
    runs = [future.result() for future in waiting]
    lines = report(runs, options.seeds, options.budget, time.perf_counter() - began)
    print("\n".join(lines))
    if options.write:
        results.put(TITLE, lines)
    return int(any("failure" in run for run in runs))


def alone(name: str, seeds: range) -> list[float]:
    """The scores of a case as it is."""
    return [score(name, {}, seed) for seed in seeds]


def score(name: str, change: dict[str, str], seed: int) -> float:
    """The score of a case with a change: accuracy or r2, at worst that of an answer which does not
    look at its input.

    Raises `ArgumentError` where the change cannot be made, or the loop then fails.
    """
    import torch

    from benchmarks.doctor import loop
    from benchmarks.doctor.cases import CASES
    from benchmarks.doctor.change import Stopped, apply
    from sevensteps.errors import ArgumentError

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    setup = CASES[name].setup(seed)
    apply(setup, change, seed)
    target = setup.valid[1]
    classes, counts = target.unique(return_counts=True)
    lowest = (
        0.0
        if target.is_floating_point() and setup.decide is None and len(classes) > 2
        else float(counts.max()) / len(target)
    )
    try:
        return max(loop.run(setup, seed, watch=False).score, lowest)
    except Stopped:
        return max(loop.score(setup), lowest)
    except (RuntimeError, ValueError, TypeError, IndexError) as failure:
        if not change:
            raise
        raise ArgumentError(f"with this change the loop fails: {failure}") from None


def turn(name: str, seed: int, cured: list[float], twin: list[float], budget: float) -> Run:
    """One faulty training: diagnosed, its remedies tried, and the proven one tried on seeds that no
    trial has seen.

    `cured` are the twin's scores by which the fault is seen to show, `twin` those on the fresh
    seeds."""
    import torch

    from benchmarks.doctor.cases import CASES
    from benchmarks.doctor.loop import run
    from sevensteps.doctor.trials.trial import best_trial

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    case = CASES[name]
    summary: Run = {"name": name, "seed": seed, "twin": _median(twin)}
    try:
        outcome = run(case.setup(seed), seed)
        summary["shown"] = bool(
            counted.shown(case, [{"score": outcome.score}], [{"score": value} for value in cured])
        )
        if not summary["shown"]:
            return summary
        summary["untouched"] = _median(alone(name, fresh(seed)))
        began = time.perf_counter()
        trials = outcome.diagnosis.try_remedies(
            lambda change, seed: score(name, change, trial_seed(summary["seed"], seed)),
            budget=budget,
            until_proven=True,
        )
        proven = best_trial(trials)
        summary |= {
            "seconds": time.perf_counter() - began,
            "trials": [trial.to_dict() | {"verdict": trial.verdict} for trial in trials],
            "proven": None if proven is None else proven.to_dict(),
            "findings": outcome.findings,
        }
        if proven is not None:
            summary["remedied"] = _median(
                [score(name, proven.change, other) for other in fresh(seed)]
            )
    except Exception as failure:  # a case that fails is said, not lost
        summary["failure"] = f"{type(failure).__name__}: {failure}"
    return summary


def trial_seed(seed: int, index: int) -> int:
    """The seed of a trial's `index`-th training: the first is the one that was watched, and no
    other watched one has any of them.
    """
    return seed + 100 * index


def fresh(seed: int) -> range:
    """The seeds on which a proven remedy has to cure: those of no trial, and others for each
    watched training.
    """
    return range(100_000 + FRESH * seed, 100_000 + FRESH * (seed + 1))


def _median(scores: list[float]) -> float:
    return statistics.median(scores)


def curable(run: Run) -> str:
    """Why a fault is not curable, or ""."""
    from benchmarks.doctor.cases import CASES

    if run["twin"] - run["untouched"] < counted.SHOWS:
        return f"the cured twin is not {counted.SHOWS} better on the fresh seeds"
    return INCURABLE.get(CASES[run["name"]].conditions[0], "")


def cures(run: Run) -> bool:
    """Whether the proven remedy reaches half of the way to the twin, and is enough above untouched
    to show.
    """
    return bool(
        run["remedied"]
        >= max((run["untouched"] + run["twin"]) / 2, run["untouched"] + counted.SHOWS)
    )


def why_not(run: Run) -> str:
    """What became of the remedies of a run that has none proven: of each finding whether it had a
    change, and of each trial the verdict.
    """
    loud = [finding for finding in run["findings"] if finding["severity"] != "info"]
    if not loud:
        return "nothing found"
    advice = [
        finding["condition"]
        for finding in loud
        if not any(remedy["change"] for remedy in finding["remedies"])
    ]
    reasons = [
        f"{trial['condition']}: {spelled(trial['change'])}: {trial['verdict']}"
        for trial in run["trials"]
    ]
    return "; ".join([*reasons, *(f"{condition}: advice only" for condition in advice)])


def spelled(change: dict[str, str]) -> str:
    """A change as a reader sees it."""
    return ", ".join(f"{step}={value}" for step, value in change.items())


def report(runs: list[Run], seeds: int, budget: float, seconds: float) -> list[str]:
    """The tables, as Markdown."""
    shown = [run for run in runs if run.get("shown") and "failure" not in run]
    sick = [run for run in shown if not curable(run)]
    proven = [run for run in sick if run["proven"]]
    rows, failed = [], []
    for run in shown:
        place, why = f"| {run['name']} | {run['seed']} |", curable(run)
        if run["proven"] is None:
            failed.append(f"{place} {'no' if why else 'yes'} | {why_not(run).replace('|', 'or')} |")
            continue
        trial = run["proven"]
        low, high = trial["interval"]
        rows.append(
            f"{place} {trial['condition']} | {spelled(trial['change']).replace('|', 'or')} | "
            f"{trial['difference']:+.3f} "
            f"({low:+.3f} to {high:+.3f}) | {run['untouched']:.3f} → {run['remedied']:.3f} | "
            f"{run['twin']:.3f} | "
            f"{'not counted' if why else 'yes' if cures(run) else '**no**'} |"
        )
    return [
        f"# {TITLE}",
        "",
        f"{len(shown)} faulty runs in which the fault shows, of {len(runs)} ({seeds} "
        f"{'seed' if seeds == 1 else 'seeds'} each), "
        f"{len(sick)} of them curable; {budget:g} s for the trials of a run, {seconds / 60:.1f} "
        "minutes in all.",
        "",
        "| measure | | target | |",
        "|---|---|---|---|",
        _line("curable faults with a proven remedy", len(proven), len(sick), PROVEN),
        _line(
            "proven remedies of curable faults that cure on five fresh seeds",
            sum(map(cures, proven)),
            len(proven),
            CURED,
        ),
        "",
        *(
            f"- {run['name']}, seed {run['seed']}, **failed: {run['failure'][:200]}**"
            for run in runs
            if "failure" in run
        ),
        *(f"- not curable, {why}: {', '.join(names)}" for why, names in _because(shown).items()),
        "",
        "## Proven",
        "",
        "| case | seed | finding | remedy | effect in the trials (95 % interval) | on five fresh "
        "seeds | twin | cured |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        "",
        "## Not proven",
        "",
        "| case | seed | curable | what was tried |",
        "|---|---|---|---|",
        *failed,
    ]


def _line(what: str, part: int, whole: int, target: float) -> str:
    return (
        f"| {what} | {part} of {whole} ({100 * part / max(whole, 1):.1f} %) | {100 * target:.0f} "
        "% | "
        f"{'met' if part >= target * whole else '**missed**'} |"
    )


def _because(shown: list[Run]) -> dict[str, list[str]]:
    """Why faults are not curable -> the cases, each with its number of runs."""
    counts = collections.Counter((why, run["name"]) for run in shown if (why := curable(run)))
    reasons: dict[str, list[str]] = collections.defaultdict(list)
    for (why, name), number in counts.items():
        reasons[why].append(name if number == 1 else f"{name} ({number} runs)")
    return reasons


if __name__ == "__main__":
    sys.exit(main())
