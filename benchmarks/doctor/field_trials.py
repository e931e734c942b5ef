"""`python -m benchmarks.doctor.field_trials`: does `sevensteps watch --try` prove a cure on faulty
scripts from the field, and does what it proves cure on seeds that no trial has seen?

Each script of `../shared/field` is watched and diagnosed as a user's script, and its remedies are
tried on it. The proven remedy with the largest effect is then run on five fresh seeds, beside the
script as it is and its cured twin on the same five; what counts there is the score that the script
prints at its end. The doctor knows nothing of the twin.

A script *has a remedy* if a finding that is no remark gives one. A remedy *cures* if, in medians
over the fresh seeds, it reaches half of the way from the script as it is to the twin, and .03
above it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.doctor import results
from benchmarks.doctor.field_scripts import FOLDER, faulty, write_script

TITLE = "Cures, proven on scripts from the field"
FRESH = range(1000, 1005)  # seeds of no trial
PROVEN, CURED = 0.7, 0.95  # targets
SHOWS = 0.03  # of a score

Run = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.doctor.field_trials", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--only", default="", help="scripts whose name contains one of these: a,b")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds for trials of a script")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--no-fresh", action="store_true", help="leave the fresh seeds out")
    parser.add_argument(
        "--write", action="store_true", help=f"put the table into {results.FILE.name}"
    )
    options = parser.parse_args()
    names = [n for n in faulty() if any(part in n for part in options.only.split(","))]
    if not names:
        print(f"skipped: there are no such scripts in {FOLDER}")
        return 0
    began = time.perf_counter()
    runs = []
    for name in names:
        runs.append(turn(name, options.budget, options.processes, not options.no_fresh))
        print(row(runs[-1]), flush=True)
    lines = report(runs, options.budget, time.perf_counter() - began)
    print("\n".join(lines))
    if options.write:
        results.put(TITLE, lines)
    return 0


def turn(name: str, budget: float, processes: int, fresh: bool) -> Run:
    """One script: watched, its remedies tried, and the proven one run on fresh seeds."""
    with tempfile.TemporaryDirectory() as folder:
        script = write_script(name, "fault", Path(folder) / "fault")
        twin = write_script(name, "twin", Path(folder) / "twin")
        found, records, seconds = tried(script, budget)
        proven = [record for record in records if record["proven"]]
        best = max(proven, key=lambda record: record["difference"], default=None)
        run: Run = {"name": name, "found": found, "records": records, "best": best}
        run |= {"seconds": seconds}
        if best is not None and fresh:
            change = best["change"]
            run["remedied"] = scores(script, change, processes, best["training"])
            run["untouched"] = scores(script, {}, processes)
            run["twin"] = scores(twin, {}, processes)
    return run


def tried(script: Path, budget: float) -> tuple[list[str], list[Run], float]:
    """What `watch --try` comes to: the findings that give a remedy, the trials, and how long the
    trials took.
    """
    from sevensteps.api.prove import prove

    with contextlib.chdir(script.parent), open(os.devnull, "w") as nowhere:
        out = os.dup(1)
        os.dup2(nowhere.fileno(), 1)
        try:
            began = time.perf_counter()
            proof = prove(script.name, budget=budget)
            seconds = time.perf_counter() - began
        finally:
            os.dup2(out, 1)
            os.close(out)
    findings = [
        (finding, 0 if training.plan is None else training.plan["training"])
        for training in proof.trainings
        for finding in training.diagnosis.get("findings", [])
    ]
    given = [f["condition"] for f, _ in findings if f["severity"] != "info" and f["remedies"]]
    records = [{**trial, "training": number} for f, number in findings for trial in f["trials"]]
    return given, records, seconds


def scores(script: Path, change: dict[str, str], processes: int, training: int = 0) -> list[float]:
    """The scores that a script prints with a change of the training of this number, on the fresh
    seeds; 0 where it fails.
    """
    from sevensteps.doctor.trials.scheduler import Clock
    from sevensteps.doctor.trials.script.backend import ScriptBackend, ScriptRun
    from sevensteps.errors import RunError

    numbers = []
    with (
        contextlib.chdir(script.parent),
        ScriptBackend(ScriptRun([script.name], training), Clock(600), processes) as backend,
    ):
        with contextlib.suppress(RunError):  # as of one that does not train
            backend.train([(change, seed) for seed in FRESH])
        for seed in FRESH:
            printed = None
            with contextlib.suppress(RunError):
                [(result, _)] = backend.train([(change, seed)])
                printed = result["printed"]
            numbers.append(max(0.0, printed[1]) if printed is not None else 0.0)
    return numbers


def cures(run: Run) -> bool:
    """Whether the proven remedy reaches half of the way to the twin on the fresh seeds."""
    untouched, remedied, twin = (
        statistics.median(run[name]) for name in ("untouched", "remedied", "twin")
    )
    return remedied >= max((untouched + twin) / 2, untouched + SHOWS)


def row(run: Run) -> str:
    """One script in the table."""
    found = ", ".join(run["found"]) or "nothing"
    best = run["best"]
    if best is None:
        why = "; ".join(f"{r['condition']}: {verdict(r)}" for r in run["records"])
        return f"| {run['name'][:-3]} | {found} | no | {cell(why or 'nothing to try')} | | |"
    low, high = best["interval"]
    effect = f"{best['difference']:+.3g} ({low:+.3g} to {high:+.3g})"
    on_fresh = ""
    if "twin" in run:
        medians = [statistics.median(run[n]) for n in ("untouched", "remedied", "twin")]
        on_fresh = "{:.3f} → {:.3f} (twin {:.3f}) {}".format(
            *medians, "cured" if cures(run) else "**not cured**"
        )
    return (
        f"| {run['name'][:-3]} | {found} | {run['seconds']:.0f} s | {cell(best['patch'])} | "
        f"{best['measure']} {effect} | {on_fresh} |"
    )


def verdict(record: Run) -> str:
    from sevensteps.doctor.trials.trial import Trial

    return Trial.from_dict(record).verdict


def cell(text: str) -> str:
    """A text that does not end its cell."""
    return text.replace("|", "or").replace("\n", " ")


def report(runs: list[Run], budget: float, seconds: float) -> list[str]:
    """The table, as Markdown."""
    remedied = [run for run in runs if run["found"] or run["best"]]
    proven = [run for run in remedied if run["best"] is not None]
    fresh = [run for run in proven if "twin" in run]
    cured = [run for run in fresh if cures(run)]
    return [
        f"# {TITLE}",
        "",
        f"{len(runs)} faulty scripts, {budget:g} s for the trials of each, "
        f"{seconds / 60:.1f} minutes in all.",
        "",
        "| measure | | target |",
        "|---|---|---|",
        f"| scripts with a remedy that is proven | {len(proven)} of {len(remedied)} | "
        f"{PROVEN:.0%} |",
        f"| proven ones that cure on five fresh seeds | {len(cured)} of {len(fresh)} | "
        f"{CURED:.0%} |",
        "",
        "| script | found | proven in | what to change | effect in the trials | on fresh seeds |",
        "|---|---|---|---|---|---|",
        *map(row, runs),
    ]


if __name__ == "__main__":
    sys.exit(main())
