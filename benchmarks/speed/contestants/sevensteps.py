"""This package: seven values, `ss.train`; here without looking inside."""

from __future__ import annotations

import os
import time
from itertools import pairwise
from typing import Any

import torch

import sevensteps as ss
from benchmarks.speed.networks import network
from benchmarks.speed.trial import Trial


def train(trial: Trial, watch: float = 0.0) -> dict[str, Any]:
    torch.manual_seed(trial.seed)  # for the parameters that the user's own module draws; ours come from the seed of the recipe
    case = trial.case
    data = ss.data.from_arrays(trial.x, trial.y, valid=(trial.x_test, trial.y_test), name="mnist")
    if case.module:
        steps: dict[str, Any] = {"predict": network(case)}
    else:
        build = ss.cnn(*case.channels) if case.channels else ss.mlp(*case.widths)
        steps = {"predict": build, "initialize": ss.pytorch_default()}
    began = time.perf_counter()
    run = ss.train(data, loss=ss.cross_entropy(), step=ss.sgd(lr=case.lr), repeat=ss.batches(case.batch),
                   stop=ss.epochs(trial.epochs), seed=trial.seed, threads=int(os.environ["OMP_NUM_THREADS"]), out=False,
                   progress=False, watch=watch, **steps, **case.ours)
    wall = time.perf_counter() - began
    ends = [0.0, *(row["seconds"] for row in run.history)]  # of training so far, without the evaluation after each epoch
    looking = run.summary.get("watched", {"seconds": 0.0})["seconds"] / trial.epochs  # its time is not counted as the training's
    return {"seconds_per_epoch": [end - start + looking for start, end in pairwise(ends)],
            "losses": [row["train"]["loss"] for row in run.history], "accuracy": run.metrics["valid"]["accuracy"],
            "version": ss.__version__, "wall_seconds": wall}
