"""skorch: estimators as its documentation writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import skorch
import torch
from skorch.callbacks import EarlyStopping, EpochScoring, Freezer, GradientNormClipping, LRScheduler
from torch import nn

from benchmarks.doctor.libraries.tasks import TASKS
from sevensteps.integrations.skorch import Watch


class Loss(nn.Module):
    """The loss of a task as a criterion."""

    def __init__(self, loss: Any) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, output: Any, target: Any) -> Any:
        return self.loss(output, target)


def train(
    task: str,
    kind: Any,
    epochs: int,
    seed: int,
    callbacks: tuple[Any, ...] = (),
    **options: Any,
) -> Watch:
    """Fit it, and return the callback."""
    torch.manual_seed(seed)
    chosen = TASKS[task]()
    if "criterion" not in options:
        options |= {"criterion": Loss, "criterion__loss": chosen.loss}
    net = kind(
        chosen.network,
        max_epochs=epochs,
        batch_size=32,
        optimizer=torch.optim.Adam,
        iterator_train__shuffle=True,
        verbose=0,
        callbacks=[("watch", Watch(show=False)), *callbacks],
        **{"lr": 3e-3, **options},
    )
    net.fit(*(part.numpy() for part in chosen.train))
    return dict(net.callbacks_)["watch"]


TRAININGS: dict[str, Callable[[int], Watch]] = {
    "table, early stopping": lambda seed: train(
        "table", skorch.NeuralNet, 30, seed, (EarlyStopping(patience=5),)
    ),
    "regression": lambda seed: train(
        "regression",
        skorch.NeuralNetRegressor,
        40,
        seed,
        criterion=nn.MSELoss,
    ),
    "images, cosine": lambda seed: train(
        "images",
        skorch.NeuralNetClassifier,
        6,
        seed,
        (LRScheduler(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=6),),
    ),
    "labels": lambda seed: train(
        "labels",
        skorch.NeuralNet,
        20,
        seed,
        train_split=skorch.dataset.ValidSplit(5),
    ),
    "text, clipped": lambda seed: train(
        "text", skorch.NeuralNetClassifier, 8, seed, (GradientNormClipping(1.0),)
    ),
    "fine-tuning, frozen by skorch": lambda seed: train(
        "fine-tuning",
        skorch.NeuralNetClassifier,
        20,
        seed,
        (Freezer("body.*"), EpochScoring("accuracy", lower_is_better=False)),
        lr=1e-2,
    ),
}
