"""The plain PyTorch loop that every case is trained in, with whatever is wrong with it as a
setting.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import sevensteps as ss

Pair = tuple[Tensor, Tensor]


@dataclass
class Setup:
    """A training. Whatever differs from the loop that a textbook prints is said here."""

    model: nn.Module
    optimizer: Any  # one, or a list of them
    loss_fn: Callable[[Tensor, Tensor], Tensor]
    train: Pair
    valid: Pair
    batch: int = 128
    epochs: int = 3
    shuffle: bool = True
    same_batch: bool = False  # each step takes the first batch again
    clear: bool = True  # zero the gradients before each backward pass
    clear_after: bool = False  # or after each step instead
    accumulate: int = 1  # backward passes for each step
    clear_each: bool = False  # zero the gradients before each of them
    scaler: Any = None  # a GradScaler that multiplies the loss
    unscale: bool = True  # whether it takes its factor out again before the gradient is clipped
    scheduler: Any = None
    each_batch: bool = False  # the scheduler steps with every batch, not with every epoch
    clip: float | None = None  # longest gradient
    train_mode: bool = True  # the mode in which it is trained
    eval_mode: bool = True  # whether the validation data is judged in evaluation mode
    evaluate_each: bool = False  # judge after each epoch as well
    step: bool = True  # whether optimizer.step() is called
    decide: Callable[[Tensor], Tensor] | None = (
        None  # output -> classes [B], where that is not the largest column
    )
    read: Callable[[Tensor], Tensor] = lambda output: output  # the part of the output that predicts
    on_step: Callable[[Setup, int], None] | None = None  # called after each step with its number


@dataclass
class Outcome:
    """What came of it. `score`: accuracy or r2 on the validation data; `seconds`: training alone,
    `diagnosing`: the diagnosis.
    """

    diagnosis: Any
    score: float
    first_loss: float
    seconds: float
    watch: Any
    diagnosing: float = 0.0
    steps: int = 0

    @property
    def findings(self) -> list[dict[str, Any]]:
        """The findings as plain values; none where nothing watched."""
        return [f.to_dict() for f in self.diagnosis.findings] if self.diagnosis is not None else []


@dataclass(frozen=True)
class Case:
    """`kind`: faulty, cured or healthy. `conditions`: right answers for a faulty one, the true
    cause first; `twin`: its cured case.

    `structural`: the fault is there for every seed, whatever the score says. A training in the
    common loop is built by `build(seed)`; one with a loop of its own is run by `train(seed)`.
    `kept_back`: only counted, never looked into while the doctor is written.
    """

    name: str
    kind: str
    conditions: tuple[str, ...]
    build: Callable[[int], Setup] | None = None
    twin: str = ""
    structural: bool = False
    train: Callable[[int], Outcome] | None = None
    kept_back: bool = False

    def run(self, seed: int) -> Outcome:
        """Train and diagnose."""
        if self.train is not None:
            return self.train(seed)
        return run(self.setup(seed), seed)

    def setup(self, seed: int) -> Setup:
        """What the common loop trains. Raises `TypeError` where the loop is the case's own."""
        if self.build is None:
            raise TypeError(f"{self.name} has a loop of its own")
        return self.build(seed)


class Nothing(contextlib.AbstractContextManager["Nothing"]):
    """Watches nothing."""

    def __exit__(self, *raised: object) -> None:
        return None

    def step(self, loss: Tensor, target: Tensor) -> None:
        """Nothing."""

    def diagnose(self, **data: Any) -> None:
        """Nothing."""


def run(
    setup: Setup, seed: int, budget: float = 0.02, watch: bool | Callable[..., Any] = True
) -> Outcome:
    """Train, watched by `ss.watch` (or by nothing, or by another tool that is used as it is), and
    diagnose.
    """
    torch.manual_seed(seed)
    optimizers = setup.optimizer if isinstance(setup.optimizer, list) else [setup.optimizer]
    watching = (
        watch(setup)
        if callable(watch)
        else ss.watch(setup.model, optimizers, budget=budget)
        if watch
        else Nothing()
    )
    model, loss_fn, (x, y) = setup.model, setup.loss_fn, setup.train
    first, step = math.nan, 0
    began = time.perf_counter()
    with watching as watcher:
        for _ in range(setup.epochs):
            model.train(setup.train_mode)
            order = torch.randperm(len(x)) if setup.shuffle else torch.arange(len(x))
            for index, chosen in enumerate(order.split(setup.batch), 1):
                if setup.same_batch:
                    chosen = torch.arange(setup.batch)
                xb, yb = x[chosen], y[chosen]
                loss = loss_fn(model(xb), yb)
                once = setup.accumulate == 1 and not setup.clear_after
                if setup.clear and (once or setup.clear_each):
                    for optimizer in optimizers:
                        optimizer.zero_grad()
                part = loss / setup.accumulate
                (setup.scaler.scale(part) if setup.scaler else part).backward()
                if setup.scaler and setup.unscale:
                    setup.scaler.unscale_(optimizers[0])
                if setup.clip:
                    nn.utils.clip_grad_norm_(model.parameters(), setup.clip)
                if setup.step and index % setup.accumulate == 0:
                    for optimizer in optimizers:
                        setup.scaler.step(optimizer) if setup.scaler else optimizer.step()
                    if setup.scaler:
                        setup.scaler.update()
                    if setup.accumulate > 1 or setup.clear_after:
                        for optimizer in optimizers:
                            optimizer.zero_grad()
                if setup.scheduler and setup.each_batch:
                    setup.scheduler.step()
                watcher.step(loss, target=yb)
                if setup.on_step:
                    setup.on_step(setup, step)
                first = float(loss.detach()) if step == 0 else first
                step += 1
            if setup.evaluate_each:
                model.train(not setup.eval_mode)
                with torch.no_grad():
                    model(setup.valid[0])
            if setup.scheduler and not setup.each_batch:
                setup.scheduler.step()
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    diagnosis = watcher.diagnose(train=setup.train, valid=setup.valid, loss_fn=loss_fn)
    return Outcome(
        diagnosis, score(setup), first, seconds, watcher, time.perf_counter() - began, step
    )


@torch.no_grad()
def score(setup: Setup) -> float:
    """Accuracy for classes, r2 for numbers, -1 for anything that is not finite, at worst -1."""
    setup.model.train(not setup.eval_mode)
    output, target = setup.read(setup.model(setup.valid[0])), setup.valid[1]
    if not bool(output.isfinite().all()):
        return -1.0
    if setup.decide is not None:
        return float((setup.decide(output) == target.reshape(-1).long()).double().mean())
    if not target.is_floating_point():
        return float((output.argmax(-1) == target).double().mean())
    if bool(((target == 0) | (target == 1)).all()):
        return float(
            ((output.reshape(len(target), -1) > 0.5) == target.reshape(len(target), -1).bool())
            .double()
            .mean()
        )
    spread = (target - target.mean(0)).square().sum()
    return max(float(1 - (output.reshape(target.shape) - target).square().sum() / spread), -1.0)
