"""skorch's NeuralNetClassifier: `fit(x, y)`, without a validation split and printing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import skorch
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from skorch.dataset import Dataset
from skorch.helper import predefined_split
from torch import nn

from benchmarks.speed.networks import accuracy, network
from benchmarks.speed.trial import Clock, Trial


class Laps(Callback):
    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_epoch_end(self, net: Any, **_: Any) -> None:
        self.clock.lap()


def train(trial: Trial, **iterator: Any) -> dict[str, Any]:
    torch.manual_seed(trial.seed)
    x, y = torch.from_numpy(trial.x), torch.from_numpy(trial.y)
    clock = Clock()
    net = NeuralNetClassifier(
        network(trial.case),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.SGD,
        lr=trial.case.lr,
        batch_size=trial.case.batch,
        max_epochs=trial.epochs,
        train_split=None,
        verbose=0,
        callbacks=[("laps", Laps(clock))],
        **(iterator or {"iterator_train__shuffle": True}),
    )
    net.fit(x, y)
    return {
        "seconds_per_epoch": clock.laps,
        "losses": net.history[:, "train_loss"],
        "accuracy": accuracy(trial, net.module_),
        "version": skorch.__version__,
    }


def whole_call(trial: Trial) -> Callable[[], dict[str, Any]]:
    """`fit` with the test part as its validation part, and skorch's own callbacks: losses, accuracy
    and a printed line an epoch.
    """
    x, y, x_test, y_test = map(torch.from_numpy, (trial.x, trial.y, trial.x_test, trial.y_test))

    def call() -> dict[str, Any]:
        torch.manual_seed(trial.seed)
        net = NeuralNetClassifier(
            network(trial.case),
            criterion=nn.CrossEntropyLoss,
            optimizer=torch.optim.SGD,
            lr=trial.case.lr,
            batch_size=trial.case.batch,
            max_epochs=trial.epochs,
            iterator_train__shuffle=True,
            train_split=predefined_split(Dataset(x_test, y_test)),
        )
        net.fit(x, y)
        return {"accuracies": net.history[:, "valid_acc"], "version": skorch.__version__}

    return call
