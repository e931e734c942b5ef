"""One step of several processes: each computes its part of the batch, and the gradients are added
up once.

The batches are those of one process, in its order; a mean over all their samples is what one
process computes. Synchronous data parallelism; source: Goyal et al. 2017, Accurate, Large Minibatch
SGD."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.engine.distributed.process_group import Group
from sevensteps.engine.engine import Engine, Progress, Seen
from sevensteps.engine.flat import SPARE
from sevensteps.engine.modules import Dropout
from sevensteps.errors import ArgumentError, Error

DRAWING = (
    nn.modules.dropout._DropoutNd,
    nn.RReLU,
)  # PyTorch's own, which draw from its global generator


@dataclass(frozen=True, eq=False)
class Shard:
    """The `rows` of a batch that one process computes, from row `first` on; `shape` is that of the whole batch.

    A process for which there is no row takes the first one all the same, and it counts 0: only so
    do all draw the same dropout masks."""

    rows: Tensor
    shape: torch.Size
    first: int
    counted: int


@dataclass(frozen=True)
class Share:
    """Which rows of a batch are this process's: the `index`-th part of `of`, as even as they go."""

    index: int
    of: int

    def rows(self, count: int) -> slice:
        """The rows of `count`; none where there are fewer than processes and this is one of those
        without.
        """
        return slice(count * self.index // self.of, count * (self.index + 1) // self.of)

    def part(self, x: Tensor, y: Tensor, places: Tensor | None = None) -> tuple[Shard, Tensor]:
        """The part of the batch (x, y); or of samples x, y of which the batch takes those at
        `places`.
        """
        count = len(x) if places is None else len(places)
        rows = self.rows(count)
        counted = rows.stop - rows.start
        rows = rows if counted else slice(0, 1)
        mine = (
            (x[rows], y[rows])
            if places is None
            else (x.index_select(0, places[rows]), y.index_select(0, places[rows]))
        )
        return Shard(mine[0], torch.Size((count, *x.shape[1:])), rows.start, counted), mine[1]


class Sharded(Engine):
    """The `engine` of one process of a group: `predict` takes a `Shard`, and after the last batch of a step comes `joined`.

    `interrupted` is set where this process is asked to end; all end then, after the same step.
    """

    def __init__(self, engine: Engine, group: Group) -> None:
        for name, module in engine.network.named_modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                raise ArgumentError(
                    f"{name} ({type(module).__name__}) takes its statistics over the whole batch, "
                    f"of which {group.size} "
                    "processes see a part each; leave batch norm out, or train in one process"
                )
            if isinstance(module, DRAWING) and getattr(
                module, "p", True
            ):  # a dropout of nothing draws nothing
                raise ArgumentError(
                    f"{name} ({type(module).__name__}) would draw other numbers in {group.size} "
                    "processes than in one; use "
                    "sevensteps.engine.modules.Dropout, or train in one process"
                )
        self.engine, self.group = engine, group
        self.network, self.loss_function, self.reason = (
            engine.network,
            engine.loss_function,
            engine.reason,
        )
        self.parameters, self.gradients, self.slices, self.size = (
            engine.parameters,
            engine.gradients,
            engine.slices,
            engine.size,
        )
        self.whole = self.gradients.as_strided(
            (len(self.gradients) + SPARE,), (1,)
        )  # with the numbers behind them
        self.dropouts = [
            module for module in engine.network.modules() if isinstance(module, Dropout)
        ]
        self.interrupted = False
        self._shard: Shard | None = None  # of the last `predict`
        self._count = 0  # samples of the step so far, of all processes
        self._took = 0.0  # seconds of the last step, in this process
        self._agreed = 0.0  # of the one before it, in process 0

    @property
    def method(self) -> str:  # type: ignore[override]
        """That of the engine."""
        return self.engine.method

    @property
    def taped(self) -> bool:  # type: ignore[override]
        """As the engine is."""
        return self.engine.taped

    @property
    def seen(self) -> Seen | None:
        """What the engine shows of this process's part."""
        return self.engine.seen

    @seen.setter
    def seen(self, seen: Seen | None) -> None:
        self.engine.seen = seen

    def begin(self) -> None:
        for tensor in (
            self.network.state_dict().values()
        ):  # as another processor may have initialised it otherwise in the last digit
            self.group.copy(tensor)

    def predict(self, x: Any) -> Tensor:
        self._shard = x
        for dropout in self.dropouts:
            dropout.among = (x.shape[0], x.first)
        return self.engine.predict(x.rows)

    def loss(self, target: Tensor) -> Tensor:
        losses = self.engine.loss(target)
        return losses[: self._shard.counted] if self._shard is not None else losses

    def gradient(self, share: float = 1.0, add: bool = False) -> Tensor:
        if self._shard is None:
            raise Error(
                "gradient() needs a loss; call predict(x) and loss(target) before each gradient()"
            )
        shard, self._shard = self._shard, None
        self._count = shard.shape[0] + (self._count if add else 0)
        found = self.engine.gradient(share * shard.counted / shard.shape[0], add)
        for dropout in self.dropouts:
            dropout.among = None
        return found

    def joined(self, summed: float, progress: Progress) -> float:
        """Add up the gradients of all processes, and with them the losses, who is asked to end, and
        how long process 0 took.
        """
        numbers = self._added(
            [summed, self.interrupted, 0.0 if self.group.rank else self._took, self._count]
        )
        total, interrupted, self._agreed, count = numbers
        if abs(count - self._count * self.group.size) > 1e-6 * count:
            raise Error(
                f"the processes cannot share a batch: here it has {self._count:,} samples, in "
                f"{self.group.size} processes "
                f"together {count:,.0f}; every process must go over the same batches in the same "
                "order"
            )
        progress.interrupted = interrupted > 0
        return total

    def _added(self, numbers: list[float]) -> list[float]:
        """Add up the gradients of all processes, and these numbers behind them."""
        end = self.whole[-SPARE:]
        end.copy_(torch.tensor(numbers, dtype=end.dtype))
        self.group.add(self.whole)
        added: list[float] = end.tolist()
        return added

    def spent(self, seconds: float) -> float:
        """What process 0 took for the step before this one: the only number of seconds that all
        know alike.
        """
        self._took = seconds
        return self._agreed

    def multiply_in(self, dtype: torch.dtype) -> None:
        self.engine.multiply_in(dtype)

    def _forward(self, x: Tensor) -> Tensor:
        return self.engine._forward(x)

    def _backward(
        self, output: Tensor, target: Tensor, losses: Tensor, share: float, add: bool
    ) -> None:
        self.engine._backward(output, target, losses, share, add)
