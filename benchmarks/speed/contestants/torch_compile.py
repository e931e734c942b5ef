"""The hand-written loop with network and loss through `torch.compile`. It compiles in the warm-up
epoch, outside the clock.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from benchmarks.speed.networks import accuracy, network
from benchmarks.speed.trial import Clock, Trial


def train(trial: Trial) -> dict[str, Any]:
    torch.manual_seed(trial.seed)
    x, y = torch.from_numpy(trial.x), torch.from_numpy(trial.y)
    model = network(trial.case)
    optimizer = torch.optim.SGD(model.parameters(), lr=trial.case.lr)

    @torch.compile(
        dynamic=False
    )  # a kernel each for whole batches and for the shorter last one, instead of one for any size
    def loss_of(x: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(model(x), y)

    clock, losses = Clock(), []
    for _ in range(trial.epochs):
        total = 0.0
        for index in torch.randperm(len(x)).split(trial.case.batch):
            loss = loss_of(x[index], y[index])
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
