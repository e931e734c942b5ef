"""skorch's NeuralNetClassifier: `fit(x, y)`, without a validation split and printing."""

from __future__ import annotations

from typing import Any

import skorch
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
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
