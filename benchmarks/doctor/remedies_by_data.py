"""`python -m benchmarks.doctor.remedies_by_data`: on how many data sets each remedy cures the fault
that it is given for.

Each open pair of `cases/step_faults` whose fault a score shows is trained, watched and diagnosed
once; then the changes that the doctor proposes for its first finding are made, three of them at
most, and each is trained on fresh seeds. A change cures where its median score reaches half of the
way from what the fault fails with to what its twin learns, as the pair states them. No trial is
made, so that a minute is enough for a dozen pairs; that a change is proven on a training of one's
own before it is called a cure is the affair of `remedies`."""

from __future__ import annotations

import argparse
import collections
import json
import re
import statistics
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.doctor import loop, results
from benchmarks.doctor.cases.step_faults import KEPT_BACK, PAIRS
from benchmarks.doctor.cases.step_faults.plan import Plan, PlannedPair
from benchmarks.doctor.change import Stopped, apply
from sevensteps.doctor.trials.scheduler import remedies_to_try
from sevensteps.errors import Error

TITLE = "Remedies, by data"
FRESH = (1001, 1002)  # seeds on which a change has to cure
ENOUGH = 3  # data sets on which a remedy has to cure
Outcome = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.doctor.remedies_by_data",
        description=" ".join((__doc__ or "").split("\n\n")[0].split()),
    )
    parser.add_argument("--only", default="", help="pairs whose fault's name contains this")
    parser.add_argument(
        "--outcomes", type=Path, help="a file of outcomes: those in it are not run again"
    )
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    outcomes: list[Outcome] = []
    if options.outcomes and options.outcomes.exists():
        text = options.outcomes.read_text(encoding="utf-8")
        outcomes = [json.loads(line) for line in text.splitlines()]
    known = {outcome["fault"] for outcome in outcomes}
    for pair in shown_pairs():
        if options.only not in pair.fault or pair.fault in known:
            continue
        outcomes.append(examined(pair))
        if options.outcomes:
            with options.outcomes.open("a", encoding="utf-8") as file:
                file.write(json.dumps(outcomes[-1]) + "\n")
    lines = report(outcomes)
    print("\n".join(lines))
    if options.write:
        results.put(TITLE, lines)
    return 0


def shown_pairs() -> Iterator[PlannedPair]:
    """The open pairs whose fault a score shows, and that the common loop can train."""
    for pair in PAIRS:
        if isinstance(pair, PlannedPair) and pair.fault not in KEPT_BACK and pair.fails <= 1:
            torch.manual_seed(0)
            plan = pair.plan(False)
            if plan.on_batch is None and plan.judged is None:
                yield pair


def examined(pair: PlannedPair) -> Outcome:
    """One pair: what is said of it first, and which of the changes proposed cure."""
    torch.manual_seed(0)
    findings = loop.run(setup_of(pair.plan(False)), 0).diagnosis.findings
    proposed = [
        (finding.condition, change)
        for finding, change in remedies_to_try(findings[:1])
        if finding.condition in pair.conditions
    ]
    bar = (max(pair.fails, 0.0) + pair.learns) / 2
    tried = []
    for condition, change in proposed:
        try:
            scores = [score(pair, change, seed) for seed in FRESH]
        except Error as failure:
            tried.append({"condition": condition, "change": change, "why": str(failure)})
            continue
        reached = statistics.median(scores)
        tried.append(
            {"condition": condition, "change": change, "score": reached, "cures": reached >= bar}
        )
    return {"fault": pair.fault, "tried": tried}


def setup_of(plan: Plan) -> loop.Setup:
    """The plan as a training that a change can be made of."""
    optimizer = plan.optimizer(plan.network)
    return loop.Setup(
        plan.network,
        optimizer,
        plan.loss_fn,
        *plan.data,
        batch=plan.batch,
        epochs=plan.epochs,
        shuffle=plan.shuffle,
        clear=plan.clear,
        step=plan.step,
        clip=plan.clip,
        scheduler=plan.schedule(optimizer) if plan.schedule else None,
        each_batch=plan.each_batch,
        train_mode=plan.train_mode,
        eval_mode=plan.eval_mode,
    )


def score(pair: PlannedPair, change: dict[str, str], seed: int) -> float:
    """The score of the faulty training with `change`. Raises `ArgumentError` where it cannot be
    made.
    """
    torch.manual_seed(seed)
    plan = pair.plan(False)
    setup = setup_of(plan)
    apply(setup, change, seed)
    try:
        reached = loop.run(setup, seed, watch=False).score
    except Stopped:
        reached = loop.score(setup)
    except (RuntimeError, ValueError, IndexError):
        return -1.0  # the loop fails with it
    if "loss" in change:
        return reached  # the outputs are read in another way
    with torch.no_grad():
        return plan.score(setup.read(setup.model(setup.valid[0])), setup.valid[1])


def kind_of(change: dict[str, str], optimizer: str = "") -> str:
    """A change without its numbers: `step=adam`; `step=its own` is another setting of the optimizer
    that the training has.
    """
    if optimizer and change.get("step", "").partition("(")[0] == optimizer:
        change = change | {"step": "its own"}
    return ", ".join(f"{step}={re.sub(r'[(].*?[)]', '', text)}" for step, text in change.items())


def optimizer_of(fault: str) -> str:
    """The optimizer of a pair, as notation calls it; "" of what is none."""
    pair = next((pair for pair in PAIRS if pair.fault == fault), None)
    if not isinstance(pair, PlannedPair):
        return ""
    plan = pair.plan(False)
    return type(plan.optimizer(plan.network)).__name__.lower()


def by_remedy(outcomes: list[Outcome]) -> dict[tuple[str, str], collections.Counter[str]]:
    """(condition, kind of change) -> the data sets on which it was tried and cured, counted as
    "data" and "-data".
    """
    table: dict[tuple[str, str], collections.Counter[str]] = collections.defaultdict(
        collections.Counter
    )
    for outcome in outcomes:
        data = outcome["fault"].partition(":")[0].removeprefix("odd ")
        own = optimizer_of(outcome["fault"])
        for tried in outcome["tried"]:
            if "cures" in tried:
                place = table[tried["condition"], kind_of(tried["change"], own)]
                place[data if tried["cures"] else f"-{data}"] += 1
    return table


def report(outcomes: list[Outcome]) -> list[str]:
    """The table, as Markdown."""
    rows = []
    for (condition, kind), count in by_remedy(outcomes).items():
        cured = sorted(data for data in count if not data.startswith("-"))
        times = sum(count[data] for data in cured)
        rows.append((-len(cured), -times, condition, kind, sum(count.values()), cured))
    rows.sort()
    enough = sum(-least >= ENOUGH for least, *_ in rows)
    tried = sum(bool(outcome["tried"]) for outcome in outcomes)
    helped = sum(any(t.get("cures") for t in outcome["tried"]) for outcome in outcomes)
    return [
        f"# {TITLE}",
        "",
        f"{len(outcomes)} faulty trainings; a change is proposed for the right cause of {tried}, "
        f"and one of at most three cures {helped}, on {len(FRESH)} fresh seeds. {enough} of "
        f"{len(rows)} remedies cure on {ENOUGH} data sets or more.",
        "",
        "| finding | remedy | cures | data on which it cures |",
        "|---|---|---|---|",
        *(
            f"| {condition} | {kind} | {-times} of {total} | {', '.join(cured) or '–'} |"
            for _, times, condition, kind, total, cured in rows
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
