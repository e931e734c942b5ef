"""`heal()`: train, diagnose, try the remedies, and train again with the one that is proven to help.

That repeats until nothing is wrong any more, or no further remedy is proven.
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
from sevensteps.doctor.case_folder import write_findings
from sevensteps.doctor.observer import DoctorObserver
from sevensteps.doctor.trials.changes import changed
from sevensteps.doctor.trials.retrain import BY_LOSS
from sevensteps.doctor.trials.trial import Trial, best_trial
from sevensteps.engine.distributed.process_group import started_by_launcher
from sevensteps.errors import ArgumentError, RunError
from sevensteps.training.observer import Observer
from sevensteps.training.recipe import Recipe, as_recipe

MAX_CHANGES = 6


def heal(
    data: str | Data | Recipe,
    *,
    budget: float = 120.0,
    out: Path | str | Literal[False] | None = None,
    data_dir: Path | str | None = None,
    progress: bool | None = None,
    observers: Callable[[DoctorObserver], Sequence[Observer]] = lambda doctor: (),
    report: Callable[[str], None] | None = None,
    say: Callable[[str], None] | None = None,
    **options: Any,
) -> Run:
    """Train; where something is wrong, try the remedies, and train again with the one that is
    proven to help, one change at a time.

    The arguments are those of `train`. All trials together take `budget` seconds (they are those of
    `diagnosis.try_remedies`). Returns the last run; `run.healed` lists the changes, each with its
    finding and the trial that proves it. Nothing is changed without such a proof. Every training
    has a run folder of its own, the later ones `out`-healed, `out`-healed-2, …. `report(text)` is
    called before each race of trials, `say(text)` after each decision; `observers(doctor)` returns
    the observers of each training. Raises what `train` raises, and `RunError` where one of the
    later folders exists already.
    """
    say = say or (lambda text: None)
    if started_by_launcher():
        raise ArgumentError(
            "healing tries remedies in one process; start it without torchrun, or train without "
            "--heal"
        )
    seconds_left, healed = number("budget", budget, above=0), list[dict[str, Any]]()
    recipe = as_recipe(data, options)
    for count in range(MAX_CHANGES):
        _require_empty(_healed_folder(out, count))
    doctor = DoctorObserver()
    run = train(
        recipe,
        out=out,
        data_dir=data_dir,
        progress=progress,
        watch=doctor,
        observers=observers(doctor),
    )
    while (
        len(healed) < MAX_CHANGES
        and run.outcome.stop.rule != "interrupt"
        and any(f.severity != "info" for f in run.findings)
    ):
        assert run.diagnosis is not None
        if seconds_left <= 0:
            say(f"The {budget:g} s for trials are used up.")
            break
        began = time.perf_counter()
        trials = run.diagnosis.try_remedies(
            budget=seconds_left, until_proven=True, data_dir=data_dir, report=report
        )
        seconds_left -= time.perf_counter() - began
        if run.folder is not None:
            write_findings(run.folder, run.diagnosis.to_dict())
        proven = best_trial(trials)
        for trial in trials:
            say(f"{trial.condition}: {trial}")
        if proven is None:
            say("No remedy is proven to help." if trials else "There is no remedy to try.")
            break
        step = {
            "condition": proven.condition,
            "change": proven.change,
            "from": run.folder and str(run.folder),
            "trial": proven.to_dict(),
        }
        doctor = DoctorObserver(healed=[*healed, step])
        next_run = train(
            changed(replace(run.recipe, reasons={}), proven.change),
            out=_healed_folder(out, len(healed)),
            data_dir=data_dir,
            progress=progress,
            watch=doctor,
            observers=observers(doctor),
        )
        if not _does_better(next_run, run, proven):
            say("Trained on all of the data it does no better, so this change is not kept.")
            if next_run.folder is not None:
                shutil.rmtree(next_run.folder)  # it was made above, and nobody knows of it yet
            break
        healed.append(step)
        run = next_run
    return run


def _does_better(run: Run, other: Run, trial: Trial) -> bool:
    """Whether `run` does better than `other`, by the measure that the trial compared."""
    if trial.condition in BY_LOSS:
        return bool(run.metrics["valid"]["loss"] < other.metrics["valid"]["loss"])
    return metrics.better(run.history[-1]["valid"], other.history[-1]["valid"])


def _require_empty(out: Path | str | Literal[False] | None) -> None:
    """Refuse a folder that is not empty: better now than after the trials."""
    if out and Path(out).is_dir() and any(Path(out).iterdir()):
        raise RunError(
            f"{out} is not empty, and a run is never written over another; give another folder "
            "(--out), or remove it first"
        )


def _healed_folder(
    out: Path | str | Literal[False] | None, count: int
) -> Path | str | Literal[False] | None:
    if out is None or out is False:
        return out
    return f"{str(out).rstrip('/')}-healed" + (f"-{count + 1}" if count else "")
