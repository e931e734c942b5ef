"""Data parallelism: each process computes its part of every batch, and the gradients are summed.

The batches are those of one process, in its order, and each sample counts the same, so that the
step is the one that a single process takes. Source: Goyal et al. 2017, Accurate, Large Minibatch
SGD.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.engine.distributed.process_group import ProcessGroup
from sevensteps.engine.engine import Engine, LayerTrace, Progress
from sevensteps.engine.flat_parameters import SPARE
from sevensteps.engine.modules import Dropout
from sevensteps.errors import ArgumentError, Error

# PyTorch's own layers that draw from its global generator
RANDOM_LAYERS = (nn.modules.dropout._DropoutNd, nn.RReLU)


@dataclass(frozen=True, eq=False)
class BatchPart:
    """The inputs of a batch that one process computes: `rows`, which begin at row `first` of the
    batch, whose shape is `shape`; `count` of them count.

    A process for which no row is left computes row 0 with a count of 0: only so do all processes
    draw the same dropout masks.
    """

    rows: Tensor
    shape: torch.Size
    first: int
    count: int


@dataclass(frozen=True)
class Partition:
    """Divides each batch among `size` processes, as evenly as possible, and takes the part of
    process `rank`.
    """

    rank: int
    size: int

    def rows(self, count: int) -> slice:
        """The rows of this process, of `count` in all; empty where there are too few for it."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def take(self, x: Tensor, y: Tensor, indices: Tensor | None = None) -> tuple[BatchPart, Tensor]:
        """This process's inputs and targets of the batch (x, y), or of the batch that consists of
        the samples `indices` of x and y.
        """
        batch_size = len(x) if indices is None else len(indices)
        rows = self.rows(batch_size)
        count = rows.stop - rows.start
        rows = rows if count else slice(0, 1)
        inputs, targets = (
            (x[rows], y[rows])
            if indices is None
            else (x.index_select(0, indices[rows]), y.index_select(0, indices[rows]))
        )
        shape = torch.Size((batch_size, *x.shape[1:]))
        return BatchPart(inputs, shape, rows.start, count), targets


class DataParallel(Engine):
    """The `engine` of one process of a group: `predict` takes a `BatchPart`, and after the last
    batch of a step comes `all_reduce`.

    Where `interrupted` is set in one process, all processes stop after the same step.
    """

    def __init__(self, engine: Engine, group: ProcessGroup) -> None:
        for name, module in engine.network.named_modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                raise ArgumentError(
                    f"{name} ({type(module).__name__}) takes its statistics over the whole batch, "
                    f"of which {group.size} "
                    "processes see a part each; leave batch norm out, or train in one process"
                )
            # a dropout of nothing draws nothing
            if isinstance(module, RANDOM_LAYERS) and getattr(module, "p", True):
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
        # the gradients and the spare numbers behind them, which are summed together
        self._buffer = self.gradients.as_strided((len(self.gradients) + SPARE,), (1,))
        self.dropouts = [
            module for module in engine.network.modules() if isinstance(module, Dropout)
        ]
        self.interrupted = False
        self._part: BatchPart | None = None  # of the last `predict`
        self._count = 0  # samples of the step so far, of all processes
        self._seconds = 0.0  # of the last step, in this process
        self._rank_0_seconds = 0.0  # of the step before it, in process 0

    @property
    def method(self) -> str:  # type: ignore[override]
        """That of the engine."""
        return self.engine.method

    @property
    def grad_enabled(self) -> bool:  # type: ignore[override]
        """As the engine is."""
        return self.engine.grad_enabled

    @property
    def trace(self) -> LayerTrace | None:
        """What the engine computed of this process's part of the batch."""
        return self.engine.trace

    @trace.setter
    def trace(self, trace: LayerTrace | None) -> None:
        self.engine.trace = trace

    def begin(self) -> None:
        # another processor may have initialised it with other last digits
        for tensor in self.network.state_dict().values():
            self.group.broadcast_tensor(tensor)

    def predict(self, x: Any) -> Tensor:
        self._part = x
        for dropout in self.dropouts:
            dropout.among = (x.shape[0], x.first)
        return self.engine.predict(x.rows)

    def loss(self, target: Tensor) -> Tensor:
        losses = self.engine.loss(target)
        return losses[: self._part.count] if self._part is not None else losses

    def gradient(self, share: float = 1.0, add: bool = False) -> Tensor:
        if self._part is None:
            raise Error(
                "gradient() needs a loss; call predict(x) and loss(target) before each gradient()"
            )
        part, self._part = self._part, None
        self._count = part.shape[0] + (self._count if add else 0)
        gradient = self.engine.gradient(share * part.count / part.shape[0], add)
        for dropout in self.dropouts:
            dropout.among = None
        return gradient

    def all_reduce(self, summed: float, progress: Progress) -> float:
        """Sum the gradients over all processes, and with them the losses, the interruptions, and
        the seconds that process 0 took.
        """
        total, interrupted, self._rank_0_seconds, count = self._all_reduced(
            [summed, self.interrupted, self._seconds if self.group.leads else 0.0, self._count]
        )
        if abs(count - self._count * self.group.size) > 1e-6 * count:
            raise Error(
                f"the processes cannot share a batch: here it has {self._count:,} samples, in "
                f"{self.group.size} processes "
                f"together {count:,.0f}; every process must go over the same batches in the same "
                "order"
            )
        progress.interrupted = interrupted > 0
        return total

    def _all_reduced(self, numbers: list[float]) -> list[float]:
        """Sum the gradients over all processes, and with them these `numbers`, whose sums are
        returned.
        """
        end = self._buffer[-SPARE:]
        end.copy_(torch.tensor(numbers, dtype=end.dtype))
        self.group.all_reduce(self._buffer)
        sums: list[float] = end.tolist()
        return sums

    def shared_seconds(self, seconds: float) -> float:
        """The seconds that process 0 took for the step before this one: the only time that all
        processes agree on.
        """
        self._seconds = seconds
        return self._rank_0_seconds

    def multiply_in(self, dtype: torch.dtype) -> None:
        self.engine.multiply_in(dtype)

    def _forward(self, x: Tensor) -> Tensor:
        return self.engine._forward(x)

    def _backward(
        self, output: Tensor, target: Tensor, losses: Tensor, share: float, add: bool
    ) -> None:
        self.engine._backward(output, target, losses, share, add)
