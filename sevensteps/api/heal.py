"""Healing: train, diagnose, try the remedies, and go on with what is proven, until nothing is wrong
or nothing more can be proven.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from sevensteps import metrics
from sevensteps.api.run import Run
from sevensteps.api.train import train
from sevensteps.arguments import number
from sevensteps.data import Data
from sevensteps.doctor.case_folder import remember
from sevensteps.doctor.observer import Attending
from sevensteps.doctor.trials.changes import changed
from sevensteps.doctor.trials.retrain import BY_LOSS
from sevensteps.doctor.trials.trial import Trial, best
from sevensteps.engine.distributed.process_group import started_by_launcher
from sevensteps.errors import ArgumentError, RunError
from sevensteps.training.loop import Observer
from sevensteps.training.recipe import Recipe, as_recipe

ROUNDS = 6  # remedies at most


def heal(
    data: str | Data | Recipe,
    *,
    budget: float = 120.0,
    out: Path | str | Literal[False] | None = None,
    data_dir: Path | str | None = None,
    progress: bool | None = None,
    observers: Callable[[Attending], Sequence[Observer]] = lambda attending: (),
    report: Callable[[str], None] | None = None,
    say: Callable[[str], None] | None = None,
    **given: Any,
) -> Run:
    """Train, and where the doctor finds something wrong, change what is proven to help, one step at
    a time, and train again.

    The arguments are those of `train`. Each remedy is tried as `diagnosis.try_remedies` does; all
    trials together take `budget` seconds. The last run is returned; `run.healed` says what was
    changed, for which finding, with the trial that proves it. Nothing is changed that is not
    proven. Every training has a run folder of its own, the later ones `out`-healed, `out`-healed-2,
    …. `report(text)` is told before each race of trials, `say(text)` what has been decided;
    `observers(attending)` gives the observers of each training. Raises what `train` raises, also
    where one of the later folders is taken."""
    say = say or (lambda text: None)
    if started_by_launcher():
        raise ArgumentError(
            "healing tries remedies in one process; start it without torchrun, or train without "
            "--heal"
        )
    left, healed = number("budget", budget, above=0), list[dict[str, Any]]()
    recipe = as_recipe(data, given)
    for count in range(ROUNDS):
        _free(_beside(out, count))
    attending = Attending()
    run = train(
        recipe,
        out=out,
        data_dir=data_dir,
        progress=progress,
        watch=attending,
        observers=observers(attending),
    )
    while (
        len(healed) < ROUNDS
        and run.summary["stop"]["rule"] != "interrupt"
        and any(f.severity != "info" for f in run.findings)
    ):
        assert run.diagnosis is not None
        if left <= 0:
            say(f"The {budget:g} s for trials are over.")
            break
        began = time.perf_counter()
        trials = run.diagnosis.try_remedies(
            budget=left, until_proven=True, data_dir=data_dir, report=report
        )
        left -= time.perf_counter() - began
        run.summary |= run.diagnosis.to_dict()
        if run.folder is not None:
            remember(run.folder, run.diagnosis)
        proven = best(trials)
        for trial in trials:
            say(f"{trial.condition}: {trial}")
        if proven is None:
            say(
                "Nothing more is proven to help."
                if trials
                else "There is no remedy that could be tried."
            )
            break
        step = {
            "condition": proven.condition,
            "change": proven.change,
            "from": run.folder and str(run.folder),
            "trial": proven.to_dict(),
        }
        attending = Attending(more={"healed": [*healed, step]})
        following = train(
            changed(replace(run.recipe, reasons={}), proven.change),
            out=_beside(out, len(healed)),
            data_dir=data_dir,
            progress=progress,
            watch=attending,
            observers=observers(attending),
        )
        if not better(following, run, proven):
            say("Trained on the whole data it does no better, so it is not kept.")
            if following.folder is not None:
                shutil.rmtree(following.folder)  # made here, and nobody knows of it yet
            break
        healed.append(step)
        run = following
    return run


def better(run: Run, other: Run, trial: Trial) -> bool:
    """Whether `run` does better than `other` by the measure of the trial."""
    if trial.condition in BY_LOSS:
        return bool(run.metrics["valid"]["loss"] < other.metrics["valid"]["loss"])
    return metrics.better(run.history[-1]["valid"], other.history[-1]["valid"])


def _free(out: Path | str | Literal[False] | None) -> None:
    """Refuse a folder that holds something: better now than after the trials."""
    if out and Path(out).is_dir() and any(Path(out).iterdir()):
        raise RunError(
            f"{out} is not empty, and a run is never written over another; give another folder "
            "(--out), or remove it first"
        )


def _beside(
    out: Path | str | Literal[False] | None, count: int
) -> Path | str | Literal[False] | None:
    if out is None or out is False:
        return out
    return f"{str(out).rstrip('/')}-healed" + (f"-{count + 1}" if count else "")
