"""fastai's Learner without printing and validation, on a DataLoader. The losses it records are its
smoothed ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from fastai import __version__
from fastai.basics import SGD, Callback, CancelValidException, DataLoaders, Learner
from fastai.metrics import accuracy as fastai_accuracy
from torch.nn.functional import cross_entropy

from benchmarks.speed.networks import EVALUATED_AT_ONCE, accuracy, data_loader, network
from benchmarks.speed.trial import Clock, Trial


class Laps(Callback):
    order = 60  # after the Recorder, which keeps the losses

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def before_validate(self) -> None:
        raise CancelValidException

    def after_epoch(self) -> None:
        self.clock.lap()


def train(trial: Trial, batches_of: Callable[..., Iterable[Any]] = data_loader) -> dict[str, Any]:
    torch.manual_seed(trial.seed)
    batches = batches_of(torch.from_numpy(trial.x), torch.from_numpy(trial.y), trial.case.batch)
    clock = Clock()
    learner = Learner(
        DataLoaders(batches, []),
        network(trial.case),
        loss_func=cross_entropy,
        opt_func=SGD,
        lr=trial.case.lr,
        cbs=[Laps(clock)],
    )
    with learner.no_logging():
        learner.fit(trial.epochs)
    return {
        "seconds_per_epoch": clock.laps,
        "losses": [row[0] for row in learner.recorder.values],
        "accuracy": accuracy(trial, learner.model),
        "version": __version__,
    }


def whole_call(trial: Trial) -> Callable[[], dict[str, Any]]:
    """A Learner with validation data and the metric accuracy; it prints a line an epoch, no bar."""
    x, y, x_test, y_test = map(torch.from_numpy, (trial.x, trial.y, trial.x_test, trial.y_test))

    def call() -> dict[str, Any]:
        torch.manual_seed(trial.seed)
        learner = Learner(
            DataLoaders(
                data_loader(x, y, trial.case.batch),
                data_loader(x_test, y_test, EVALUATED_AT_ONCE, shuffle=False),
            ),
            network(trial.case),
            loss_func=cross_entropy,
            opt_func=SGD,
            lr=trial.case.lr,
            metrics=fastai_accuracy,
        )
        learner.fit(trial.epochs)
        return {
            "accuracies": [row[-1] for row in learner.recorder.values],
            "version": __version__,
        }

    return call
