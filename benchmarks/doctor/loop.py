"""The plain PyTorch loop that every case is trained in, with whatever is wrong with it as a setting."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

import sevensteps as ss

Pair = tuple[Tensor, Tensor]


@dataclass
class Setup:
    """A training. `clear`: zero the gradient before each backward pass; `accumulate`: backward passes a step; `clip`: longest gradient;
    `decide(output)`: the answers as class indices, where they are not plain; `each_batch`: the scheduler steps with every batch.
    """

    model: nn.Module
    optimizer: Any
    loss_fn: Callable[[Tensor, Tensor], Tensor]
    train: Pair
    valid: Pair
    batch: int = 128
    epochs: int = 3
    shuffle: bool = True
    clear: bool = True
    clear_after: bool = False
    accumulate: int = 1
    scheduler: Any = None
    each_batch: bool = False
    clip: float | None = None
    train_mode: bool = True
    eval_mode: bool = True
    evaluate_each: bool = False
    step: bool = True
    decide: Callable[[Tensor], Tensor] | None = None


@dataclass
class Outcome:
    """What came of it: accuracy or r2 on the validation data, the first loss, what the doctor found, and how long it all took."""

    score: float
    first_loss: float
    findings: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    diagnosing: float = 0.0


@dataclass(frozen=True)
class Case:
    """`kind`: faulty, cured or healthy. `conditions`: right answers for a faulty one, the true cause first; `twin`: its cured case.

    `structural`: the fault is there for every seed, whatever the score says.
    """

    name: str
    kind: str
    build: Callable[[int], Setup]
    conditions: tuple[str, ...] = ()
    twin: str = ""
    structural: bool = False


def run(setup: Setup, seed: int, budget: float = 0.02) -> Outcome:
    """Train, watched, and diagnose."""
    torch.manual_seed(seed)
    began = time.perf_counter()
    optimizers = setup.optimizer if isinstance(setup.optimizer, list) else [setup.optimizer]
    x, y = setup.train
    first = math.nan
    with ss.watch(setup.model, optimizers, budget=budget) as watch:
        for _ in range(setup.epochs):
            setup.model.train(setup.train_mode)
            order = torch.randperm(len(x)) if setup.shuffle else torch.arange(len(x))
            for index, chosen in enumerate(order.split(setup.batch), 1):
                xb, yb = x[chosen], y[chosen]
                loss = setup.loss_fn(setup.model(xb), yb)
                if setup.clear and setup.accumulate == 1 and not setup.clear_after:
                    for optimizer in optimizers:
                        optimizer.zero_grad()
                (loss / setup.accumulate).backward()
                if setup.clip:
                    nn.utils.clip_grad_norm_(setup.model.parameters(), setup.clip)
                if setup.step and index % setup.accumulate == 0:
                    for optimizer in optimizers:
                        optimizer.step()
                    if setup.accumulate > 1 or setup.clear_after:
                        for optimizer in optimizers:
                            optimizer.zero_grad()
                if setup.scheduler and setup.each_batch:
                    setup.scheduler.step()
                watch.step(loss, target=yb)
                first = float(loss.detach()) if math.isnan(first) else first
            if setup.evaluate_each:
                setup.model.train(not setup.eval_mode)
                with torch.no_grad():
                    setup.model(setup.valid[0])
            if setup.scheduler and not setup.each_batch:
                setup.scheduler.step()
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    diagnosis = watch.diagnose(train=setup.train, valid=setup.valid, loss_fn=setup.loss_fn)
    return Outcome(score(setup), first, [finding.to_dict() for finding in diagnosis.findings], seconds, time.perf_counter() - began)


@torch.no_grad()
def score(setup: Setup) -> float:
    """Accuracy for classes, r2 for numbers, -1 for anything that is not finite, at worst -1."""
    setup.model.train(not setup.eval_mode)
    output, target = setup.model(setup.valid[0]), setup.valid[1]
    if not bool(output.isfinite().all()):
        return -1.0
    if setup.decide is not None:
        return float((setup.decide(output) == target.reshape(-1).long()).double().mean())
    if not target.is_floating_point():
        return float((output.argmax(-1) == target).double().mean())
    if bool(((target == 0) | (target == 1)).all()):
        return float(((output.reshape(len(target), -1) > 0.5) == target.reshape(len(target), -1).bool()).double().mean())
    spread = (target - target.mean(0)).square().sum()
    return max(float(1 - (output.reshape(target.shape) - target).square().sum() / spread), -1.0)
