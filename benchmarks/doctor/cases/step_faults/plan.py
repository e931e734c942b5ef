"""A training of these families, and the loops that they are trained in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, right
from benchmarks.doctor.data import Data

Optimizer = Callable[[nn.Module], optim.Optimizer]


@dataclass
class Plan:
    """A training. Whatever differs from a textbook's loop is said here."""

    data: Data
    network: nn.Module
    loss_fn: Callable[[Tensor, Tensor], Tensor]
    optimizer: Optimizer
    epochs: int = 20
    batch: int = 32
    score: Callable[[Tensor, Tensor], float] = right
    shuffle: bool = True
    loader: bool = False  # a DataLoader, and an evaluation after each epoch
    clear: bool = True  # zero the gradients before each backward pass
    step: bool = True  # call optimizer.step()
    clip: float | None = None  # longest gradient
    schedule: Callable[[optim.Optimizer], Any] | None = None
    each_batch: bool = False  # the schedule moves with every batch, not with every epoch
    train_mode: bool = True
    eval_mode: bool = True
    judged: Data | None = None  # what is given for the diagnosis and the score, if not `data`
    on_batch: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
    more: dict[str, Any] = field(default_factory=dict)

    def run(self, watch: Watch) -> Trained:
        """Train, and score on the validation data."""
        model, optimizer = self.network, self.optimizer(self.network)
        scheduler = self.schedule(optimizer) if self.schedule else None
        train, valid = self.judged or self.data
        with watch(model, optimizer) as watching:
            for _ in range(self.epochs):
                model.train(self.train_mode)
                for x, y in self.batches():
                    if self.clear:
                        optimizer.zero_grad()
                    loss = self.loss_fn(model(x), y)
                    loss.backward()
                    if self.clip:
                        nn.utils.clip_grad_norm_(model.parameters(), self.clip)
                    if self.step:
                        optimizer.step()
                    if scheduler and self.each_batch:
                        scheduler.step()
                    watching.step(loss, target=y)
                if scheduler and not self.each_batch:
                    scheduler.step()
                if self.loader:
                    self.evaluate(watching, valid)
        model.train(not self.eval_mode)
        with torch.no_grad():
            score = self.score(model(valid[0]), valid[1])
        return Trained(
            watching, score, {"train": train, "valid": valid, "loss_fn": self.loss_fn, **self.more}
        )

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch."""
        x, y = self.data[0]
        if self.loader:
            yield from DataLoader(TensorDataset(x, y), self.batch, shuffle=self.shuffle)
            return
        order = torch.randperm(len(x)) if self.shuffle else torch.arange(len(x))
        for chosen in order.split(self.batch):
            pair = x[chosen], y[chosen]
            yield self.on_batch(*pair) if self.on_batch else pair

    @torch.no_grad()
    def evaluate(self, watching: Any, valid: tuple[Tensor, Tensor]) -> None:
        """What a training reports of itself after an epoch."""
        self.network.train(not self.eval_mode)
        output = self.network(valid[0])
        loss = float(self.loss_fn(output, valid[1]))
        watching.valid(loss=loss, score=self.score(output, valid[1]))


@dataclass(frozen=True)
class PlannedPair(Pair):
    """A pair whose trainings are `plan(cured)`."""

    plan: Callable[[bool], Plan] = field(kw_only=True)


def planned(
    fault: str,
    cure: str,
    conditions: tuple[str, ...],
    plan: Callable[[bool], Plan],
    fails: float,
    learns: float,
) -> Pair:
    """A pair whose plan is `plan(cured)`. A fault that no score shows has `fails` 2."""
    return PlannedPair(
        fault,
        cure,
        conditions,
        lambda cured, watch: plan(cured).run(watch),
        fails,
        learns,
        plan=plan,
    )


def sgd(lr: float, **more: Any) -> Optimizer:
    """Stochastic gradient descent."""
    return lambda network: optim.SGD(network.parameters(), lr, **more)


def adam(lr: float = 1e-3, **more: Any) -> Optimizer:
    """Adam, with any other setting."""
    return lambda network: optim.Adam(network.parameters(), lr, **more)


def above(border: float) -> Callable[[Tensor, Tensor], float]:
    """The share of answers on the right side of `border`; -1 where one is not finite."""

    def score(output: Tensor, y: Tensor) -> float:
        if not bool(output.isfinite().all()):
            return -1.0
        return float(((output.reshape(y.shape) > border) == (y > 0.5)).double().mean())

    return score


def logits(output: Tensor, y: Tensor) -> Tensor:
    """Binary cross-entropy of logits."""
    return F.binary_cross_entropy_with_logits(output, y)


def conv(
    *channels: int,
    classes: int = 10,
    activation: type[nn.Module] = nn.ReLU,
    norm: bool = False,
    end: nn.Module | None = None,
) -> nn.Sequential:
    """Convolutions 3×3 with an activation for [N, 1, 8, 8], pooled once, and a linear layer."""
    layers: list[nn.Module] = []
    inputs = 1
    for width in channels:
        layers.append(nn.Conv2d(inputs, width, 3, padding=1))
        layers += [nn.BatchNorm2d(width), activation()] if norm else [activation()]
        inputs = width
    layers += [nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16 * inputs, classes)]
    return nn.Sequential(*layers, *([end] if end is not None else []))


__all__ = [
    "Plan",
    "PlannedPair",
    "above",
    "adam",
    "conv",
    "explained",
    "logits",
    "planned",
    "right",
    "sgd",
]
