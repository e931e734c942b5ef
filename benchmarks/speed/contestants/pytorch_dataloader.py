"""The loop of PyTorch's own tutorials: a DataLoader over a TensorDataset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from benchmarks.speed.networks import EVALUATED_AT_ONCE, accuracy, data_loader, network
from benchmarks.speed.trial import Clock, Trial


def epoch(model: nn.Module, optimizer: torch.optim.Optimizer, batches: Any) -> float:
    """One epoch; returns the mean training loss."""
    total, samples = 0.0, 0
    for x, y in batches:
        loss = cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
        samples += len(x)
    return total / samples


def train(trial: Trial) -> dict[str, Any]:
    torch.manual_seed(trial.seed)
    batches = data_loader(torch.from_numpy(trial.x), torch.from_numpy(trial.y), trial.case.batch)
    model = network(trial.case)
    optimizer = torch.optim.SGD(model.parameters(), lr=trial.case.lr)
    clock, losses = Clock(), []
    for _ in range(trial.epochs):
        losses.append(epoch(model, optimizer, batches))
        clock.lap()
    return {
        "seconds_per_epoch": clock.laps,
        "losses": losses,
        "accuracy": accuracy(trial, model),
        "version": torch.__version__,
    }


def whole_call(trial: Trial) -> Callable[[], dict[str, Any]]:
    """With an evaluation after each epoch from a DataLoader of its own, as in the tutorials."""
    x, y, x_test, y_test = map(torch.from_numpy, (trial.x, trial.y, trial.x_test, trial.y_test))

    def call() -> dict[str, Any]:
        torch.manual_seed(trial.seed)
        batches = data_loader(x, y, trial.case.batch)
        tests = data_loader(x_test, y_test, EVALUATED_AT_ONCE, shuffle=False)
        model = network(trial.case)
        optimizer = torch.optim.SGD(model.parameters(), lr=trial.case.lr)
        accuracies = []
        for _ in range(trial.epochs):
            epoch(model.train(), optimizer, batches)
            model.eval()
            with torch.no_grad():
                right = sum((model(a).argmax(1) == b).sum().item() for a, b in tests)
            accuracies.append(right / len(y_test))
        return {"accuracies": accuracies, "version": torch.__version__}

    return call
