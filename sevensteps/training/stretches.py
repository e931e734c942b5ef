"""Many steps in one call: the epoch of an engine that takes a stretch of steps by itself.

What happens at each step is what `loop.py` shows. Between two stretches, Python counts, asks the
stop rules and tells the observers: once for some thousand steps where a step takes microseconds.
A step gives the same bits whatever stretch it is in.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from sevensteps.steps.step import Optimizer, Stepper
from sevensteps.steps.stop import Stop
from sevensteps.training.interrupts import without_step
from sevensteps.training.observer import Observer
from sevensteps.training.state import Training

# of one stretch: so long at most wait Ctrl-C, the line that shows progress, and seconds(…)
SECONDS = 0.05
# of the steps of an epoch: whether all of it was trained on, and the (rule, reason) that ended the
# training
Ending = tuple[bool, tuple[str, str] | None]


@runtime_checkable
class TakesManySteps(Protocol):
    """An engine that takes many steps in one call, such as that of `compiled()`."""

    def update(self, step: Optimizer, stepper: Stepper) -> Any:
        """Step 5 as `take_steps` wants it; it works on the tensors in the stepper's memory. None
        for an optimizer that it cannot take steps of.
        """

    def needs_compiling(self, x: Tensor, y: Tensor, size: int, update: Any) -> bool:
        """Whether `compile` will take seconds."""

    def compile(self, x: Tensor, y: Tensor, size: int, update: Any) -> float:
        """Have the machine code of the steps ready, and change nothing; returns the seconds of
        compiling.
        """

    def take_steps(
        self,
        x: Tensor,
        y: Tensor,
        rows: Int64[Tensor, "M"],
        size: int,
        update: Any,
        rates: Float64[Tensor, "K"],
        clip: float | None,
    ) -> Float64[Tensor, "k"]:
        """Steps 2 to 5 for the samples `rows` of `x` and `y`, `size` in a step.

        The sum of the losses of each step. It ends with the first that is not finite, whose step is
        not taken.
        """


class Stretches:
    """The stretches of steps of one training: as long as nobody has to be asked or told, and as a
    moment of `SECONDS` allows."""

    def __init__(
        self, training: Training, update: Any, stop: Stop, observers: Sequence[Observer]
    ) -> None:
        engine, samples = training.engine, training.samples
        size = training.recipe.repeat.size_of(len(samples.x))
        assert isinstance(engine, TakesManySteps)
        assert isinstance(samples.x, Tensor)  # `resolve` has refused others
        assert size is not None
        self.training, self.stop, self.observers = training, stop, observers
        self.engine, self.x, self.y, self.update = engine, samples.x, samples.y, update
        self.size = size * training.recipe.gradient.accumulate
        self.seconds_each: float | None = None  # of a step, lately
        self.compile()

    @classmethod
    def of(cls, training: Training, stop: Stop, observers: Sequence[Observer]) -> Stretches | None:
        """The stretches of a training whose engine takes many steps in one call; None where it
        does not, or not with this optimizer, or where other processes have a part of each step.
        """
        engine = training.engine
        if not isinstance(engine, TakesManySteps):
            return None
        update = engine.update(training.recipe.step, training.stepper)
        return None if update is None else cls(training, update, stop, observers)

    def compile(self) -> None:
        """Have the machine code of the steps ready; it counts for itself, not as training. An
        interrupt does not wait for it.
        """
        arguments = self.x, self.y, self.size, self.update
        if self.engine.needs_compiling(*arguments):
            for observer in self.observers:
                observer.compiling(self.training)
        with without_step():
            self.training.compile_seconds = self.engine.compile(*arguments)

    def epoch(self) -> Ending:
        """Steps 2 to 7 for what is left of an epoch: whether all of it was trained on, and what
        ended the training.
        """
        training, size = self.training, self.size
        recipe, progress, position = training.recipe, training.progress, training.position
        began, passed = time.perf_counter(), position.steps * size
        order = recipe.repeat.indices(len(self.x), training.generators["order"])  # 6 repeat
        rows, ended = order[passed:], None
        while len(rows):
            count = min(self.length(), -(-len(rows) // size))
            rates = training.stepper.rates(progress.step, count, training.total or 1)
            sums = self.engine.take_steps(  # 2 predict, 3 loss, 4 gradient, 5 step
                self.x, self.y, rows[: count * size], size, self.update, rates, recipe.gradient.clip
            )
            if self.tell(sums, rates, len(rows), began):
                return False, None  # the loss is not finite
            began, rows = time.perf_counter(), rows[count * size :]
            ended = self.stop.reason(progress)  # 7 stop
            if ended and len(rows):
                return False, ended
        return True, ended

    def length(self) -> int:
        """How many steps the next stretch may have."""
        training = self.training
        count = self.stop.steps_left(training.progress)
        for observer in self.observers:
            count = min(count, observer.free_steps(training))
        if self.seconds_each is None:
            return 1
        return max(1, min(count, int(SECONDS / self.seconds_each)))

    def tell(
        self, sums: Float64[Tensor, "k"], rates: Float64[Tensor, "K"], left: int, began: float
    ) -> bool:
        """Count a stretch that `began` where so many samples of the epoch were `left`, and tell
        the observers. Returns whether its last loss is not finite.
        """
        training, progress, position = self.training, self.training.progress, self.training.position
        sum_of, taken = sums.numpy(), len(sums)  # in NumPy: five numbers cost PyTorch 2 µs
        samples, last = min(taken * self.size, left), float(sum_of[-1])
        diverged, of_last = not math.isfinite(last), samples - (taken - 1) * self.size
        position.steps += taken
        if diverged:  # that step is not taken, nor are its samples counted
            sum_of, taken, samples = sum_of[:-1], taken - 1, samples - of_last
        if taken:
            losses = sum_of / self.size
            losses[-1] = sum_of[-1] / (samples - (taken - 1) * self.size)
            progress.loss, progress.lr = float(losses[-1]), float(rates[taken - 1])
            progress.step += taken
            progress.samples += samples
            position.samples += samples
            # one after the other, as single steps add them up
            running = np.add.accumulate(np.concatenate(([position.loss_sum], sum_of)))
            position.loss_sum = float(running[-1])
            seconds = time.perf_counter() - began
            progress.seconds += seconds
            self.seconds_each = seconds / taken
            if taken == 1:
                for observer in self.observers:
                    observer.stepped(training)
            else:
                each = torch.from_numpy(losses), rates[:taken]
                for observer in self.observers:
                    observer.stretched(training, *each)
        if diverged:
            progress.loss = last / of_last
        return diverged
