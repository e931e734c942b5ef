"""Small trainings and an observer that notes what happens, for the tests of this folder."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.data import Data
from sevensteps.engine.chain_rule import ChainRule
from sevensteps.steps.gradient import autograd
from sevensteps.training import interrupts, loop, state
from sevensteps.training.observer import Observer
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import resolve
from sevensteps.training.state import Training


def three_classes(count: int = 48) -> Data:
    """Points of three classes in space, the first third to judge by."""
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(count * 3 // 2, 4, generator=draw)
    y = (x[:, :3] + 0.3 * torch.randn(len(x), 3, generator=draw)).argmax(1)
    held_out = count // 2
    return ss.data.from_arrays(
        x[held_out:], y[held_out:], valid=(x[:held_out], y[:held_out]), name="three"
    )


DATA = three_classes()
PLAIN: dict[str, Any] = {
    "predict": "mlp(5, activation='tanh')",
    "step": "sgd(lr=0.3)",
    "repeat": "batches(16)",
    "stop": "epochs(3)",
    "precision": "float64",
}


class Watcher(Observer):
    """An observer that keeps what it saw."""

    def __init__(self, at_step: Callable[[Training], None] | None = None) -> None:
        self.seen: list[str] = []
        self.start: nn.Module | None = None
        self.at_step = at_step
        self.losses: list[float] = []
        self.rates: list[float] = []

    def started(self, training: Training) -> None:
        self.seen.append("started")
        self.start = copy.deepcopy(training.network)

    def stepped(self, training: Training) -> None:
        self.seen.append("stepped")
        self.losses.append(training.progress.loss)
        self.rates.append(training.progress.lr)
        if self.at_step:
            self.at_step(training)

    def evaluated(self, training: Training, row: dict[str, Any]) -> None:
        self.seen.append("evaluated")

    def stopped(self, training: Training, rule: str, reason: str) -> None:
        self.seen.append(f"stopped by {rule}: {reason}")


def trained(
    data: str | Data = DATA, observers: tuple[Observer, ...] = (), **given: Any
) -> tuple[Training, tuple[str, str]]:
    """A training that has run to its end, and what ended it."""
    training = state.start(resolve(Recipe(data, **{**PLAIN, **given})))
    with interrupts.interruptible(training.progress):
        return training, loop.train(training, observers)


def same_bits(one: nn.Module, other: nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(
        torch.equal(mine[name], theirs[name]) for name in mine
    )


def without_times(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: item for key, item in row.items() if key != "seconds"} for row in history]


class StretchingChainRule(ChainRule):
    """What `compiled()` is to the loop, in plain words: many steps of the chain rule and of
    `torch.optim` in one call. It notes how long each stretch was, and whether it was traced.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.stretches: list[int] = []
        self.traced: list[bool] = []
        self.compile_calls = 0

    def update(self, step: Any, stepper: Any) -> Any:
        return stepper

    def needs_compiling(self, *arguments: Any) -> bool:
        return True

    def compile(self, *arguments: Any) -> float:
        self.compile_calls += 1
        return 2.5

    def take_steps(
        self,
        x: Tensor,
        y: Tensor,
        rows: Tensor,
        size: int,
        update: Any,
        rates: Tensor,
        clip: float | None,
    ) -> Tensor:
        assert rows.is_contiguous()
        assert rates.is_contiguous()
        assert len(rates) == -(-len(rows) // size)
        self.stretches.append(len(rates))
        self.traced.append(self.trace is not None)
        sums = []
        for batch, rate in zip(rows.split(size), rates.tolist(), strict=True):
            self.predict(x.index_select(0, batch))
            sums.append(float(self.loss(y.index_select(0, batch)).sum()))
            if not math.isfinite(sums[-1]):
                break
            self.gradient()
            autograd(clip=clip).finish(self.gradients)
            update.update(rate)
        return torch.tensor(sums, dtype=torch.float64)


def stretched(
    data: str | Data = DATA,
    observers: tuple[Observer, ...] = (),
    begin: Callable[[Training], None] | None = None,
    **given: Any,
) -> tuple[Training, tuple[str, str]]:
    """`trained`, by an engine that takes many steps in one call."""
    training = state.start(resolve(Recipe(data, **{**PLAIN, **given})))
    training.engine = StretchingChainRule(training.network, training.loss)
    training.stepper = training.recipe.step.prepare(
        training.engine.parameters, training.engine.gradients
    )
    if begin is not None:
        begin(training)
    with interrupts.interruptible(training.progress):
        return training, loop.train(training, observers)
