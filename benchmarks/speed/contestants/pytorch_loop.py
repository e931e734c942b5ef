"""The loop that people write by hand in PyTorch, with batches by index."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import cross_entropy

from benchmarks.speed.networks import accuracy, network
from benchmarks.speed.trial import Clock, Trial


def train(trial: Trial) -> dict[str, Any]:
    torch.manual_seed(trial.seed)
    x, y = torch.from_numpy(trial.x), torch.from_numpy(trial.y)
    model = network(trial.case)
    optimizer = torch.optim.SGD(model.parameters(), lr=trial.case.lr)
    clock, losses = Clock(), []
    for _ in range(trial.epochs):
        total = 0.0
        for index in torch.randperm(len(x)).split(trial.case.batch):
            loss = cross_entropy(model(x[index]), y[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(index)
        losses.append(total / len(x))
        clock.lap()
    return {
        "seconds_per_epoch": clock.laps,
        "losses": losses,
        "accuracy": accuracy(trial, model),
        "version": torch.__version__,
    }
