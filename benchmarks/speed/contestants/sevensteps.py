"""This package: seven values, `ss.train`; its epochs without looking inside, its whole call with
all that a user gets.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import torch

import sevensteps as ss
from benchmarks.speed.networks import network
from benchmarks.speed.trial import Trial
from sevensteps.training.observer import Observer


class Laps(Observer):
    """An observer that takes the time from outside, after everyone else has looked.

    `laps`: seconds of each epoch up to its last step, without the evaluation after it. `ends`:
    seconds from when this was made until the evaluation after each epoch has ended."""

    def __init__(self) -> None:
        self.laps: list[float] = []
        self.ends: list[float] = []
        self.created = time.perf_counter()

    def started(self, training: Any) -> None:
        self.since = time.perf_counter()

    def stepped(self, training: Any) -> None:
        self.latest = time.perf_counter()

    def free_steps(self, training: Any) -> int:
        """Steps that may be taken at once before this looks again: any number."""
        return sys.maxsize

    def stretched(self, training: Any, losses: Any, rates: Any) -> None:
        self.latest = time.perf_counter()

    def evaluated(self, training: Any, row: dict[str, Any]) -> None:
        self.laps.append(self.latest - self.since)
        self.since = time.perf_counter()
        self.ends.append(self.since - self.created)


def mnist(trial: Trial) -> Any:
    """The samples of `trial` as data of this package."""
    return ss.data.from_arrays(trial.x, trial.y, valid=(trial.x_test, trial.y_test), name="mnist")


def train(trial: Trial, watch: float = 0.0, **more: str) -> dict[str, Any]:
    # for the parameters that the user's own module draws; ours come from the seed of the recipe
    torch.manual_seed(trial.seed)
    case = trial.case
    data = mnist(trial)
    if case.module:
        steps: dict[str, Any] = {"predict": network(case)}
    else:
        build = ss.cnn(*case.channels) if case.channels else ss.mlp(*case.widths)
        steps = {"predict": build, "initialize": ss.pytorch_default()}
    clock = Laps()
    run = ss.train(
        data,
        loss=ss.cross_entropy(),
        step=ss.sgd(lr=case.lr),
        repeat=ss.batches(case.batch),
        stop=ss.epochs(trial.epochs),
        seed=trial.seed,
        threads=int(os.environ["OMP_NUM_THREADS"]),
        out=False,
        progress=False,
        watch=watch,
        observers=[clock],
        **steps,
        **{**case.ours, **more},
    )
    return {
        "seconds_per_epoch": clock.laps,
        "losses": [row["train"]["loss"] for row in run.history],
        "accuracy": run.metrics["valid"]["accuracy"],
        "version": ss.__version__,
    }


def whole_call(trial: Trial, **more: str) -> Callable[[], dict[str, Any]]:
    """`ss.train` as a user calls it: default threads, examined, watched, evaluated after each epoch
    and saved to a run folder.
    """
    data, case, number = mnist(trial), trial.case, count()
    # the import that other libraries do at their first line, and this one when it is asked for
    train_network = ss.train
    folder = tempfile.TemporaryDirectory(prefix="sevensteps-bench-runs-")

    def call() -> dict[str, Any]:
        run = train_network(
            data,
            predict=ss.mlp(*case.widths),
            step=ss.sgd(lr=case.lr),
            repeat=ss.batches(case.batch),
            stop=ss.epochs(trial.epochs),
            seed=trial.seed,
            out=Path(folder.name) / str(next(number)),
            **more,
        )
        return {
            "accuracies": [row["valid"]["accuracy"] for row in run.history],
            "version": ss.__version__,
        }

    return call
