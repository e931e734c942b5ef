"""The loop that people write by hand in PyTorch, with batches by index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.speed.networks import accuracy, network
from benchmarks.speed.trial import Clock, Trial


def epoch(
    model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor, batch: int
) -> float:
    """One epoch; returns the mean training loss."""
    total = 0.0
    for index in torch.randperm(len(x)).split(batch):
        loss = cross_entropy(model(x[index]), y[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(index)
    return total / len(x)


def train(trial: Trial) -> dict[str, Any]:
    torch.manual_seed(trial.seed)
    x, y = torch.from_numpy(trial.x), torch.from_numpy(trial.y)
    model = network(trial.case)
    optimizer = torch.optim.SGD(model.parameters(), lr=trial.case.lr)
    clock, losses = Clock(), []
    for _ in range(trial.epochs):
        losses.append(epoch(model, optimizer, x, y, trial.case.batch))
        clock.lap()
    return {
        "seconds_per_epoch": clock.laps,
        "losses": losses,
        "accuracy": accuracy(trial, model),
        "version": torch.__version__,
    }


def whole_call(trial: Trial) -> Callable[[], dict[str, Any]]:
    """With one evaluation of all test samples at once after each epoch."""
    x, y, x_test, y_test = map(torch.from_numpy, (trial.x, trial.y, trial.x_test, trial.y_test))

    def call() -> dict[str, Any]:
        torch.manual_seed(trial.seed)
        model = network(trial.case)
        optimizer = torch.optim.SGD(model.parameters(), lr=trial.case.lr)
        accuracies = []
        for _ in range(trial.epochs):
            epoch(model.train(), optimizer, x, y, trial.case.batch)
            with torch.no_grad():
                right = model.eval()(x_test).argmax(1) == y_test
            accuracies.append(right.float().mean().item())
        return {"accuracies": accuracies, "version": torch.__version__}

    return call
