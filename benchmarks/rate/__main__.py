"""Is the learning rate that is suggested a good one? `python -m benchmarks.rate`, in the
environment that `make bench` makes.

For each data set and seed: what sevensteps, Lightning's `Tuner.lr_find` and fastai's `lr_find`
suggest for the same network, from the same start, on the same samples and batch size; then the
recipe is trained at each suggestion, and at 32 rates, for all of its steps. `--write` writes
benchmarks/rate/RESULTS.md."""

from __future__ import annotations

import argparse
import datetime
import json
import math
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

import sevensteps as ss
from benchmarks.rate import finders
from benchmarks.speed.machine import ROOT, SHARED, busy, describe, mnist_folder
from sevensteps.racing import grouping
from sevensteps.racing.run_race import prepare_race, run_race
from sevensteps.training import loop, state, threads
from sevensteps.training.evaluation import evaluate
from sevensteps.training.resolve import ResolvedRecipe, resolve
from sevensteps.training.state import Training

RESULTS = ROOT / "benchmarks" / "rate" / "RESULTS.md"
SEEDS = 5
THREADS = 1  # for everyone: networks this small do not gain from more
NEAR = 1.6  # times the best loss in a race: rates that may be the best when trained alone
STEPS = {"sgd": "sgd(lr=0.1)", "adam": "adam(lr=0.001)"}
HEAD = """# The learning rate that is suggested

Written by `python -m benchmarks.rate --write` on {date}; run it again rather than edit it.

{machine}. Load average before: {load}. Lightning {lightning}, fastai {fastai}.

For each data set and each of {seeds} seeds, every finder gets the same network from the same start,
the same training samples, batch size and loss. Then the recipe is trained for all of its steps,
from that start and in the order of its seed, at each suggestion and at the 32 rates that sevensteps
tried (all anew: together, and those within a factor of 1.6 of the best once more, each alone, whose
figure counts), and judged by the mean loss over all training samples. *Ratio* is the loss at the
suggestion over the best loss of the 32 rates: 1.00 is the best of them, below 1 a rate between two
of them was better, ∞ diverged. *Within 10 %* counts the seeds with a ratio of at most 1.10.
Lightning and fastai search as their documentation shows: 100 steps from 1e-8 to 1 and from 1e-7 to
10. *Seconds* are of the search alone, the median of the seeds; ours include the trainings at the
suggestion and beside it with two further seeds. Those two aim at a rate that is safe in any longer
training, in a tenth of the time or less; what is judged here is the loss of this recipe, which is
what ours looks at.
"""


@dataclass(frozen=True)
class Case:
    """Data, and the recipe without its step."""

    name: str
    data: str
    recipe: dict[str, str]


CASES = [
    Case("digits", "digits", {"predict": "mlp(30)", "repeat": "batches(64)", "stop": "epochs(30)"}),
    Case(
        "speed",
        'speed(scale="standardize")',
        {"predict": "mlp(30)", "repeat": "full_batch()", "stop": "epochs(500)"},
    ),
    Case(
        "auto-mpg",
        f'csv("{SHARED / "tabular" / "mpg.csv"}", target="MPG")',
        {"predict": "mlp(30)", "repeat": "batches(32)", "stop": "epochs(100)"},
    ),
    Case(
        "mnist37", "mnist37", {"predict": "mlp(30)", "repeat": "batches(64)", "stop": "epochs(10)"}
    ),
    Case("mnist", "mnist", {"predict": "mlp(30)", "repeat": "batches(64)", "stop": "epochs(2)"}),
]


def one(case: Case, step: str, seed: int, data: ss.data.Data) -> dict[str, Any]:
    """One data set with one seed: what each finder suggests, and what comes of it."""
    recipe = ss.Recipe(data, step=step, seed=seed, threads=THREADS, **case.recipe)
    began = time.perf_counter()
    rates = ss.find_learning_rate(recipe)
    suggestions: dict[str, dict[str, Any]] = {
        "sevensteps": {
            "lr": rates.suggestion,
            "seconds": time.perf_counter() - began,
            "sure": rates.sure,
        }
    }
    for name, find in finders.FINDERS.items():
        began = time.perf_counter()
        try:
            suggested = find(resolve(recipe))
        except Exception as failure:  # a finder that gives up is a result
            suggested, suggestions[name] = None, {"failure": f"{type(failure).__name__}: {failure}"}
        for way, lr in (suggested or {}).items():
            suggestions[way] = {"lr": lr, "seconds": time.perf_counter() - began}
    judged = judge(
        resolve(recipe),
        sorted(
            {rate.lr for rate in rates.rates}
            | {it["lr"] for it in suggestions.values() if it.get("lr")}
        ),
    )
    best = min(judged[rate.lr] for rate in rates.rates)
    for it in suggestions.values():
        it["ratio"] = judged[it["lr"]] / best if it.get("lr") else math.inf
    return {
        "case": case.name,
        "step": step,
        "seed": seed,
        "best": best,
        "best_lr": min(rates.rates, key=lambda r: judged[r.lr]).lr,
        "start": rates.start,
        "stages": rates.stages,
        "steps": rates.steps,
        "full": rates.full,
        "found": suggestions,
    }


def judge(resolved: ResolvedRecipe, lrs: list[float]) -> dict[float, float]:
    """The mean loss over all training samples after the recipe, at each rate."""
    recipes = [
        replace(resolved.recipe, data=resolved.data, step=replace(resolved.recipe.step, lr=lr))
        for lr in lrs
    ]
    racing = prepare_race(grouping.resolve_all(recipes))
    run_race(racing)
    with threads.threads(THREADS):
        judged = {lr: final(training) for lr, training in zip(lrs, racing.trainings, strict=True)}
        near = [lr for lr in lrs if judged[lr] <= NEAR * min(judged.values())]
        return judged | {lr: alone(recipes[lrs.index(lr)]) for lr in near}


def alone(recipe: ss.Recipe) -> float:
    """The same of one recipe, trained by the loop as `train` does: near the edge another rounding
    leads elsewhere.
    """
    training = state.start(resolve(recipe))
    loop.train(training)
    return final(training)


def final(training: Training) -> float:
    loss: float = (
        evaluate(training, "train")["loss"] if math.isfinite(training.progress.loss) else math.inf
    )
    return loss if math.isfinite(loss) else math.inf


def text(ratio: float) -> str:
    return "∞" if not math.isfinite(ratio) else f"{ratio:.2f}" if ratio < 100 else f"{ratio:.2g}"


def table(results: list[dict[str, Any]]) -> list[str]:
    """A row for each data set and finder, and the sum of all data sets."""
    lines = [
        "| data | finder | suggested lr | within 10 % | median ratio | worst ratio | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    names = list(dict.fromkeys(name for result in results for name in result["found"]))
    for case in [*dict.fromkeys(result["case"] for result in results), "all"]:
        for name in names:
            measured = [
                result["found"].get(name, {"ratio": math.inf})
                for result in results
                if case in (result["case"], "all")
            ]
            ratios, lrs = (
                [it["ratio"] for it in measured],
                [it["lr"] for it in measured if it.get("lr")],
            )
            spread = f"{min(lrs):.2g} … {max(lrs):.2g}" if lrs and case != "all" else ""
            seconds = [it["seconds"] for it in measured if "seconds" in it]
            lines.append(
                f"| {case} | {name} | {spread} | {sum(ratio <= 1.1 for ratio in ratios)} of "
                f"{len(ratios)} "
                f"| {text(statistics.median(ratios))} | {text(max(ratios))} | "
                f"{f'{statistics.median(seconds):.1f}' if seconds else '–'} |"
            )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rate", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=[case.name for case in CASES],
        help="this data set; may be repeated",
    )
    parser.add_argument(
        "--step",
        action="append",
        choices=list(STEPS),
        help="this optimizer; may be repeated (default: all)",
    )
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument(
        "--keep", type=Path, help="a file of JSON lines: what is there is not measured again"
    )
    parser.add_argument("--write", action="store_true", help="write benchmarks/rate/RESULTS.md")
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    load, rows = busy(), []
    if options.keep and options.keep.exists():
        rows = [json.loads(line) for line in options.keep.read_text().splitlines()]
    results = []
    for name in options.step or list(STEPS):
        for case in [case for case in CASES if case.name in (options.only or [case.name])]:
            data = ss.data.load(case.data, mnist_folder(options.data_dir))
            for seed in range(options.seeds):
                before = [
                    it
                    for it in rows
                    if (it["case"], it["step"], it["seed"]) == (case.name, STEPS[name], seed)
                ]
                result = before[0] if before else one(case, STEPS[name], seed, data)
                results.append(result)
                summary = ", ".join(
                    f"{way} {it.get('lr')}: {text(it['ratio'])}"
                    for way, it in result["found"].items()
                )
                print(f"{case.name}, {STEPS[name]}, seed {seed}: {summary}", flush=True)
                if options.keep and not before:
                    with options.keep.open("a") as file:
                        file.write(json.dumps(result) + "\n")
    parts = [
        HEAD.format(
            date=datetime.date.today(),
            machine=describe(THREADS),
            load="unknown" if load is None else f"{load:.1f}",
            seeds=options.seeds,
            **finders.versions(),
        )
    ]
    for name in options.step or list(STEPS):
        parts.append(
            "\n".join(
                [
                    f"## {STEPS[name]}",
                    "",
                    *table([result for result in results if result["step"] == STEPS[name]]),
                ]
            )
        )
    recipes = "\n".join(
        f"- {case.name}: `{', '.join(f'{step}={value}' for step, value in case.recipe.items())}`"
        for case in CASES
    )
    page = "\n\n".join([*(part.rstrip() for part in parts), f"## The recipes\n\n{recipes}"]) + "\n"
    print(page)
    if options.write:
        RESULTS.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
