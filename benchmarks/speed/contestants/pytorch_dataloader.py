"""The loop of PyTorch's own tutorials: a DataLoader over a TensorDataset."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import cross_entropy

from benchmarks.speed.networks import accuracy, data_loader, network
from benchmarks.speed.trial import Clock, Trial


def train(trial: Trial) -> dict[str, Any]:
    torch.manual_seed(trial.seed)
    batches = data_loader(torch.from_numpy(trial.x), torch.from_numpy(trial.y), trial.case.batch)
    model = network(trial.case)
    optimizer = torch.optim.SGD(model.parameters(), lr=trial.case.lr)
    clock, losses = Clock(), []
    for _ in range(trial.epochs):
        total = 0.0
        for x, y in batches:
            loss = cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
        losses.append(total / len(trial.x))
        clock.lap()
    return {
        "seconds_per_epoch": clock.laps,
        "losses": losses,
        "accuracy": accuracy(trial, model),
        "version": torch.__version__,
    }
