"""Training in lockstep: the seven steps of several networks of the same shapes at once.

It is the loop of `sevensteps.training.loop` with one more axis: each member learns what the same
recipe learns when it is trained alone, up to rounding. A member that has ended is removed, and the
others go on without it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from sevensteps.engine.engine import Engine
from sevensteps.engine.ensemble.base import Ensemble
from sevensteps.engine.ensemble.stacked import StackedEnsemble
from sevensteps.engine.ensemble.vmapped import VmappedEnsemble
from sevensteps.engine.flat_parameters import Vectors
from sevensteps.steps.repeat import Batch
from sevensteps.steps.step import sgd
from sevensteps.steps.stop import Always, Progress, Stop
from sevensteps.training.evaluation import CHUNK
from sevensteps.training.loop import accumulation_batches, evaluate_epoch, take_step
from sevensteps.training.observer import Observer
from sevensteps.training.state import EpochPosition, Training

SMALLEST_CHUNK = 256  # samples evaluated at once, however many networks share the memory for them


class EnsembleOfOne:
    """The engine of one network, used like an ensemble: the same calls, so the same bits."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.gradient = engine, engine.gradient

    def predict(self, x: Tensor, own: bool = False) -> Tensor:
        return self.engine.predict(x[0] if own else x)[None]

    def loss(self, target: Tensor, own: bool | None = None) -> Tensor:
        return self.engine.loss(target[0] if own else target)[None]


@dataclass(eq=False)
class Member:
    """A training in a race: its number among the recipes, its observers, and how it ended.

    `ended` is (rule, reason), None while it is trained.
    """

    number: int
    training: Training
    observers: Sequence[Observer] = ()
    ended: tuple[str, str] | None = None
    stop: Stop = field(init=False)
    progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        self.stop, self.progress = Always() | self.training.recipe.stop, self.training.progress


class Lockstep:
    """Members that are trained together: through the same batches, or each in an order of its own.

    With `own_order` the batches of all members have the same sizes. `active` are the members that
    have not ended. Call `begin()` once, then `epoch()` until nobody is left.
    """

    def __init__(self, members: Sequence[Member], own_order: bool = False) -> None:
        self.active, self.own_order = list(members), own_order
        self.ensemble: Ensemble | EnsembleOfOne | None = None
        self.report: Callable[[], None] | None = None  # called after each step
        first = members[0].training
        self.isolated_randomness: Any = (
            first.isolated_randomness if len(members) == 1 else nullcontext()
        )
        self.grad_enabled = first.engine.grad_enabled

    def begin(self) -> None:
        """Step 1 of every member; those whose stop is reached before the first step are removed."""
        for member in self.active:
            training = member.training
            training.recipe.initialize(
                training.network,
                training.generators["initialize"],
                *training.parts["train"],
                training.output,
            )
        self._build_ensemble()
        for member in self.active:
            for observer in member.observers:
                observer.started(member.training)
            member.ended = member.stop.reason(member.training.progress)
        self.remove([member for member in self.active if member.ended])

    def epoch(self) -> None:
        """One epoch of all members that are left."""
        with torch.set_grad_enabled(self.grad_enabled):
            self._epoch()

    def _epoch(self) -> None:
        for member in self.active:
            training, progress = member.training, member.training.progress
            training.position.order = training.generators["order"].get_state()
            member.ended = member.stop.reason(progress)  # an interrupt between two epochs
        self.remove([member for member in self.active if member.ended])
        if not self.active:
            return
        began = time.perf_counter()
        accumulate = self.active[0].training.recipe.gradient.accumulate
        for batches in accumulation_batches(self._batches(), accumulate):
            began = self._step(batches, began)
            if not self.active:
                return
        for member in self.active:
            member.training.progress.epoch += 1
            member.training.progress.epoch_ended = True
        for member, outputs in zip(self.active, self._outputs("valid"), strict=True):
            training, progress = member.training, member.training.progress
            evaluate_epoch(training, member.observers, outputs)
            training.position = EpochPosition()
            member.ended = member.ended or member.stop.reason(progress)
            progress.epoch_ended = False
        self.remove([member for member in self.active if member.ended])

    def _batches(self) -> Iterator[Batch]:
        """The batches of an epoch: one for all members, or one for each, stacked in a tensor."""
        if not self.own_order:
            first = self.active[0].training
            generator = first.generators["order"]
            before = generator.get_state()
            yield from first.recipe.repeat.epoch(first.samples, generator)
            if not torch.equal(after := generator.get_state(), before):
                for member in self.active:
                    member.training.generators["order"].set_state(after)
            return  # where nothing was shuffled, seeds may differ
        orders = {
            member.number: member.training.recipe.repeat.epoch(
                member.training.samples, member.training.generators["order"]
            )
            for member in self.active
        }
        while True:
            following = [next(orders[member.number], None) for member in self.active]
            batches = [batch for batch in following if batch is not None]
            if len(batches) < len(following):
                return
            yield torch.stack([x for x, _ in batches]), torch.stack([y for _, y in batches])

    def _step(self, batches: Sequence[Batch], began: float) -> float:
        """One step of every member. Returns when the next one begins."""
        active, ensemble, own, axis = (
            self.active,
            self.ensemble,
            self.own_order,
            int(self.own_order),
        )
        assert ensemble is not None
        count, sums = sum(x.shape[axis] for x, _ in batches), [0.0] * len(active)
        with self.isolated_randomness:
            for index, (x, y) in enumerate(batches):
                share, add = x.shape[axis] / count, index > 0
                began += self._trace_alone(x, y, share, add)
                ensemble.predict(x, own=own)  # 2 predict
                losses = ensemble.loss(y, own=own)  # 3 loss
                ensemble.gradient(share=share, add=add)  # 4 gradient
                more = losses.sum(1).tolist() if len(active) > 1 else [float(losses[0].sum())]
                sums = [before + loss for before, loss in zip(sums, more, strict=True)]
        leaving = self._take_steps(count, sums)  # 5 step
        seconds = (time.perf_counter() - began) / len(active)
        observed = False
        for member in active:
            if member.ended:
                continue
            training, progress = member.training, member.progress
            progress.seconds += seconds
            if member.observers:
                observed = True
                for observer in member.observers:
                    observer.stepped(training)
            # that the loss is finite is known already
            stop = member.stop if progress.interrupted else training.recipe.stop
            if ended := stop.reason(progress):  # 7 stop
                member.ended = ended
                if training.position.steps < training.per_epoch:
                    leaving.append(member)
        self.remove(leaving)
        if self.report is not None:
            self.report()
        others_took_time = observed or leaving or self.report
        return time.perf_counter() if others_took_time else began + seconds * len(active)

    def _take_steps(self, count: int, sums: Sequence[float]) -> list[Member]:
        """Step 5 of every member, whose losses over `count` samples have these sums.

        Returns the members that diverged, which take no step.
        """
        diverged = []
        for member, summed in zip(self.active, sums, strict=True):
            if not take_step(member.training, count, summed, update=not self.plain_sgd):
                member.ended = member.stop.reason(member.progress)
                diverged.append(member)
                member.training.engine.gradients.zero_()
        if self.plain_sgd and isinstance(self.ensemble, Ensemble):
            parameters, gradients = self.ensemble.parameters, self.ensemble.gradients
            rates = [[member.progress.lr] for member in self.active]
            lr = torch.tensor(rates, dtype=torch.float64).to(parameters)
            parameters.addcmul_(gradients, lr, value=-1)
        return diverged

    def _trace_alone(self, x: Tensor, y: Tensor, share: float, add: bool) -> float:
        """Let members whose observers look inside this step compute it by their own engines first.

        Only what they look at remains: statistics and generators are put back, and the gradient is
        computed again together. Returns the seconds, which count for these members alone.
        """
        total = 0.0
        if isinstance(self.ensemble, EnsembleOfOne):
            return total
        for index, member in enumerate(self.active):
            engine = member.training.engine
            if engine.trace is None:
                continue
            began = time.perf_counter()
            gradients = engine.gradients.clone() if add else None
            generator = member.training.generators["dropout"]
            state = generator.get_state()
            buffers = [(buffer, buffer.clone()) for buffer in member.training.network.buffers()]
            engine.predict(x[index] if self.own_order else x)
            engine.loss(y[index] if self.own_order else y)
            engine.gradient(share=share, add=add)
            generator.set_state(state)
            with torch.no_grad():
                for buffer, before in buffers:
                    buffer.copy_(before)
                if gradients is not None:
                    engine.gradients.copy_(gradients)
            seconds = time.perf_counter() - began
            member.training.progress.seconds += seconds
            total += seconds
        return total

    def remove(self, leaving: Sequence[Member]) -> None:
        """Take members that have ended out of the group: evaluate the part of an epoch that they
        have trained, and call their observers.
        """
        if not leaving:
            return
        for member in leaving:
            training = member.training
            if training.position.steps or not training.progress.history:
                evaluate_epoch(training, member.observers)
            assert member.ended is not None
            for observer in member.observers:
                observer.stopped(training, *member.ended)
        remaining = [
            index
            for index, member in enumerate(self.active)
            if all(member is not other for other in leaving)
        ]
        self.active = [self.active[index] for index in remaining]
        if not isinstance(self.ensemble, EnsembleOfOne):
            self._build_ensemble(remaining)
            for member in leaving:  # out of the common memory
                member.training.engine = member.training.recipe.gradient.prepare(
                    member.training.network, member.training.loss
                )

    def _build_ensemble(self, remaining: Sequence[int] | None = None) -> None:
        """Let each engine and stepper of the active members work on its row of common memory.

        `remaining` are their indices in the ensemble that there was before.
        """
        trainings = [member.training for member in self.active]
        self.plain_sgd = False  # whether all take plain SGD steps, one operation for all of them
        if remaining is None and len(trainings) == 1:
            self.ensemble = EnsembleOfOne(trainings[0].engine)
        elif len(trainings) < 2:
            for training in trainings:
                _rebind(training, None)
                self.ensemble = EnsembleOfOne(training.engine)
        else:
            if isinstance(self.ensemble, Ensemble) and remaining is not None:
                self.ensemble.keep(remaining)
            else:
                kind = VmappedEnsemble if self.grad_enabled else StackedEnsemble
                self.ensemble = kind(
                    [training.network for training in trainings], trainings[0].loss
                )
            self.plain_sgd = all(
                isinstance(training.recipe.step, sgd)
                and training.recipe.step.plain
                and training.recipe.gradient.clip is None
                for training in trainings
            )
            rows = zip(self.ensemble.parameters, self.ensemble.gradients, strict=True)
            for training, row in zip(trainings, rows, strict=True):
                _rebind(training, row)

    def _outputs(self, part: str) -> list[Tensor | None]:
        """The outputs of each network for a whole part, [N, O]; None: it is evaluated alone."""
        if not isinstance(self.ensemble, Ensemble):
            return [None] * len(self.active)
        x = self.active[0].training.parts[part][0]
        size = max(SMALLEST_CHUNK, CHUNK // len(self.active))
        modes = [
            (module, module.training)
            for member in self.active
            for module in member.training.network.modules()
        ]
        try:
            for module, _ in modes:
                module.training = False
            outputs = [self.ensemble.predict(piece) for piece in x.split(size)]
        finally:
            for module, mode in modes:
                module.training = mode
        return list(torch.cat(outputs, 1))


def _rebind(training: Training, row: Vectors | None) -> None:
    """Let a network, its engine and its stepper go on in other memory: `row`, or their own."""
    recipe, trace, memory = training.recipe, training.engine.trace, training.stepper.memory
    training.engine = recipe.gradient.prepare(training.network, training.loss, row)
    training.engine.trace = trace
    training.stepper = recipe.step.prepare(training.engine.parameters, training.engine.gradients)
    training.stepper.memory.update(memory)
