"""What the trainings of this folder share: how one is run and diagnosed, and the lines that most
of their loops have in common.

Each is written as people write theirs, with a loop of its own; only its diagnosis is alike.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.doctor.loop import Case, Outcome


@dataclass
class Trained:
    """A training that has ended. `score` is larger the better, 1 at best; `data` are the arguments
    of `watch.diagnose`.
    """

    watch: Any
    score: float
    data: dict[str, Any] = field(default_factory=dict)


def healthy(name: str, train: Callable[[], Trained], kept_back: bool = False) -> Case:
    """The case of a training with nothing wrong. `kept_back`: only counted, never looked into."""
    return Case(f"field: {name}", "healthy", (), train=diagnosed(train), kept_back=kept_back)


def faulty_and_cured(
    name: str, cured: str, condition: str, train: Callable[[bool], Trained]
) -> list[Case]:
    """The case of a training with something wrong, and its twin; `train(cured)` is either."""
    return [
        Case(
            f"field: {name}",
            "faulty",
            (condition,),
            twin=f"field: {cured}",
            structural=True,
            train=diagnosed(lambda: train(False)),
        ),
        Case(f"field: {cured}", "cured", (), train=diagnosed(lambda: train(True))),
    ]


def diagnosed(train: Callable[[], Trained]) -> Callable[[int], Outcome]:
    """`train` with a seed, and its diagnosis."""

    def run(seed: int) -> Outcome:
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        began = time.perf_counter()
        trained = train()
        seconds = time.perf_counter() - began
        began = time.perf_counter()
        diagnosis = trained.watch.diagnose(**trained.data)
        losses = trained.watch.observation.losses
        return Outcome(
            diagnosis,
            trained.score,
            losses[0][1] if losses else math.nan,
            seconds,
            trained.watch,
            time.perf_counter() - began,
            trained.watch.observation.steps,
        )

    return run


def batches(count: int, size: int, epochs: int) -> Iterator[Tensor]:
    """Indices of shuffled batches, epoch after epoch."""
    for _ in range(epochs):
        yield from torch.randperm(count).split(size)


def descend(
    watch: Any, optimizer: torch.optim.Optimizer, loss: Tensor, target: Any = None, **more: Any
) -> None:
    """One step of a loop: clear, backward, step, and the line for the watch."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss, target=target, **more)


@torch.no_grad()
def accuracy(network: nn.Module, x: Any, y: Tensor) -> float:
    """The share of right classes, in evaluation mode."""
    output = network.eval()(x)
    return float((output.argmax(-1) == y).double().mean())


def r2(answer: Tensor, target: Tensor) -> float:
    """1 - squared error / variance."""
    error = (answer.detach() - target).square().sum()
    return float(1 - error / (target - target.mean(0)).square().sum())
