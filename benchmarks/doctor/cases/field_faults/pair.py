"""A faulty training and its healthy twin, and the lines that most of the loops here share.

What a training does is proven without the doctor: `Pair.score` trains unwatched.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, diagnosed
from benchmarks.doctor.loop import Case

Watch = Callable[..., Any]  # takes what `sevensteps.watch` takes


class Unwatched(contextlib.AbstractContextManager["Unwatched"]):
    """Has the methods of a watch and does nothing."""

    def __init__(self, networks: Any, optimizer: Any = None) -> None: ...

    def __exit__(self, *raised: object) -> None:
        return None

    def step(self, loss: Any, **more: Any) -> None:
        """Nothing."""

    def valid(self, **more: Any) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Pair:
    """`train(cured, watch)` is either training.

    `conditions` are right answers, the true cause first. Whatever the seed, the faulty one scores
    at most `fails` and the twin at least `learns`.
    """

    fault: str
    cure: str
    conditions: tuple[str, ...]
    train: Callable[[bool, Watch], Trained]
    fails: float
    learns: float

    def score(self, cured: bool, seed: int) -> float:
        """The score of either, trained with nothing that watches."""
        torch.manual_seed(seed)
        return self.train(cured, Unwatched).score

    @property
    def names(self) -> tuple[str, str]:
        """Those of the faulty case and of the cured one."""
        return f"fault: {self.fault}", f"fault cured: {self.cure}"

    def cases(self, kept_back: bool) -> list[Case]:
        """The faulty case and the cured one."""
        fault, cure = self.names
        return [
            Case(
                fault,
                "faulty",
                self.conditions,
                twin=cure,
                train=diagnosed(lambda: self.train(False, ss.watch)),
                kept_back=kept_back,
            ),
            Case(
                cure,
                "cured",
                (),
                train=diagnosed(lambda: self.train(True, ss.watch)),
                kept_back=kept_back,
            ),
        ]


def fit(
    watch: Watch,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_fn: Callable[[Any, Any], Tensor],
    x: Tensor,
    y: Tensor,
    epochs: int,
    size: int = 32,
) -> Any:
    """The plain loop over shuffled batches; returns what watched it."""
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), size, epochs):
            loss = loss_fn(model(x[chosen]), y[chosen])
            descend(watching, optimizer, loss, y[chosen])
    return watching


def known(x: Any, y: Any, count: int, loss_fn: Any = None) -> dict[str, Any]:
    """The first `count` samples to train on and the others to judge by."""
    more = {} if loss_fn is None else {"loss_fn": loss_fn}
    return {"train": (x[:count], y[:count]), "valid": (x[count:], y[count:]), **more}


def right(output: Tensor, y: Tensor) -> float:
    """The share of right classes; -1 where an output is not finite."""
    if not bool(output.isfinite().all()):
        return -1.0
    return float((output.argmax(-1) == y).double().mean())


def explained(output: Tensor, y: Tensor) -> float:
    """1 - squared error / variance, at least -1."""
    answer = output.detach().reshape(y.shape)
    if not bool(answer.isfinite().all()):
        return -1.0
    return max(float(1 - (answer - y).square().mean() / (y - y.mean(0)).square().mean()), -1.0)
