"""Short trainings that keep every state, to compare a replayed step with."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import sevensteps as ss
from sevensteps.training.observer import Observer
from sevensteps.training.state import Training

SHORT: dict[str, Any] = {
    "predict": "mlp(12)",
    "stop": "epochs(2)",
    "threads": 1,
    "out": False,
    "progress": False,
}


class StepHistory(Observer):
    """What each step of a training started from and came to."""

    def __init__(self) -> None:
        self.before: list[Tensor] = []
        self.gradients: list[Tensor] = []
        self.losses: list[float] = []

    def started(self, training: Training) -> None:
        self.slices = training.engine.slices
        self.before.append(training.engine.parameters.clone())

    def stepped(self, training: Training) -> None:
        self.before.append(training.engine.parameters.clone())
        self.gradients.append(training.engine.gradients.clone())
        self.losses.append(training.progress.loss)


def trained(data: Any = "digits", **changes: Any) -> tuple[ss.Run, StepHistory]:
    history = StepHistory()
    return ss.train(data, observers=[history], **{**SHORT, **changes}), history


def flat_index(name: str, history: StepHistory) -> int:
    """Where a weight such as `layer1.weight[3, 1]` lies in the flat vector."""
    tensor, _, index = name.partition("[")
    columns, shape = history.slices[tensor]
    return columns.start + int(
        torch.arange(shape.numel()).reshape(shape)[
            tuple(int(i) for i in index.rstrip("]").split(","))
        ]
    )


OPTIMIZERS = [
    "sgd(lr=0.1)",
    "sgd(lr=0.1, momentum=0.9)",
    "sgd(lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01)",
    "sgd(lr=0.1, weight_decay=0.1)",
    "adam(lr=0.01)",
    "adam(lr=one_cycle(0.02), weight_decay=0.1)",
    "adamw(lr=0.01)",
    "rmsprop(lr=0.001)",
    "rmsprop(lr=0.001, momentum=0.5, weight_decay=0.1)",
    "adagrad(lr=0.01, weight_decay=0.1)",
]
