"""Training in lockstep: the seven steps of several networks of the same shapes at once.

It is the loop of `sevensteps.training.loop` with one more axis: each member learns what the same
recipe learns when it is trained alone, up to rounding. A member that has ended is removed, and the
others go on without it."""

from __future__ import annotations

import math
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
from sevensteps.engine.flat import Vectors
from sevensteps.steps.repeat import Batch
from sevensteps.steps.step import sgd
from sevensteps.steps.stop import Always, Progress, Stop
from sevensteps.training.evaluation import CHUNK
from sevensteps.training.loop import accumulation_batches, evaluate_epoch
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

    `ended` is (rule, reason), None while it is trained."""

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
    have not ended. Call `begin()` once, then `epoch()` until nobody is left."""

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
        active, together, at = self.active, self.ensemble, int(self.own_order)
        assert together is not None
        count, sums = sum(x.shape[at] for x, _ in batches), [0.0] * len(active)
        with self.isolated_randomness:
            for index, (x, y) in enumerate(batches):
                began += self._look_into(x, y, x.shape[at] / count, index > 0)
                together.predict(x, own=self.own_order)  # 2 predict
                losses = together.loss(y, own=self.own_order)  # 3 loss
                together.gradient(share=x.shape[at] / count, add=index > 0)  # 4 gradient
                found = losses.sum(1).tolist() if len(active) > 1 else [float(losses[0].sum())]
                sums = [before + more for before, more in zip(sums, found, strict=True)]
        over = self._change(count, sums)  # 5 step
        each = (time.perf_counter() - began) / len(active)
        watched = False
        for member in active:
            if member.ended:
                continue
            training, progress = member.training, member.progress
            progress.seconds += each
            if member.observers:
                watched = True
                for observer in member.observers:
                    observer.stepped(training)
            rule = (
                member.stop if progress.interrupted else training.recipe.stop
            )  # that the loss is finite is known
            if ended := rule.reason(progress):  # 7 stop
                member.ended = ended
                if training.position.steps < training.per_epoch:
                    over.append(member)
        self.remove(over)
        if self.report is not None:
            self.report()
        return time.perf_counter() if watched or over or self.report else began + each * len(active)

    def _change(self, count: int, sums: Sequence[float]) -> list[Member]:
        """Step 5 of every member, whose losses over `count` samples have these sums. Returns those
        that diverged: theirs is not taken.
        """
        over, plain = [], self.plain
        for member, summed in zip(self.active, sums, strict=True):
            training, progress = member.training, member.progress
            position = training.position
            position.steps += 1
            progress.loss = loss = summed / count
            if not math.isfinite(loss):
                member.ended = member.stop.reason(progress)
                over.append(member)
                training.engine.gradients.zero_()
                continue
            if plain:
                progress.lr = training.stepper.rate(progress.step, training.total or 1)
            else:
                training.recipe.gradient.finish(training.engine.gradients)
                progress.lr = training.stepper(progress.step, training.total or 1)
            progress.step += 1
            progress.samples += count
            position.samples += count
            position.loss_sum += summed
        if plain and isinstance(self.ensemble, Ensemble):
            rates = torch.tensor(
                [[member.progress.lr] for member in self.active], dtype=torch.float64
            )
            self.ensemble.parameters.addcmul_(
                self.ensemble.gradients, rates.to(self.ensemble.parameters), value=-1
            )
        return over

    def _look_into(self, x: Tensor, y: Tensor, share: float, add: bool) -> float:
        """Let those whose observers want to see this step compute it by themselves first: what is
        seen is their own engine's.

        Nothing comes of it but what was seen: statistics and generators are put back, and the
        gradient is computed again together. Returns the seconds it took, which are theirs alone.
        """
        spent = 0.0
        if isinstance(self.ensemble, EnsembleOfOne):
            return spent
        for index, member in enumerate(self.active):
            engine = member.training.engine
            if engine.trace is None:
                continue
            began = time.perf_counter()
            held = engine.gradients.clone() if add else None
            drawn = member.training.generators["dropout"]
            state, buffers = (
                drawn.get_state(),
                [(buffer, buffer.clone()) for buffer in member.training.network.buffers()],
            )
            engine.predict(x[index] if self.own_order else x)
            engine.loss(y[index] if self.own_order else y)
            engine.gradient(share=share, add=add)
            drawn.set_state(state)
            with torch.no_grad():
                for buffer, before in buffers:
                    buffer.copy_(before)
                if held is not None:
                    engine.gradients.copy_(held)
            took = time.perf_counter() - began
            member.training.progress.seconds += took
            spent += took
        return spent

    def remove(self, over: Sequence[Member]) -> None:
        """Members that have ended leave: what they were in the middle of is evaluated, and their
        observers told.
        """
        if not over:
            return
        for member in over:
            training = member.training
            if training.position.steps or not training.progress.history:
                evaluate_epoch(training, member.observers)
            assert member.ended is not None
            for observer in member.observers:
                observer.stopped(training, *member.ended)
        stay = [
            index
            for index, member in enumerate(self.active)
            if all(member is not other for other in over)
        ]
        self.active = [self.active[index] for index in stay]
        if not isinstance(self.ensemble, EnsembleOfOne):
            self._build_ensemble(stay)
            for member in over:  # out of the common memory
                member.training.engine = member.training.recipe.gradient.prepare(
                    member.training.network, member.training.loss
                )

    def _build_ensemble(self, stay: Sequence[int] | None = None) -> None:
        """Compute for those that are active, which had the places `stay` before; each engine and
        step works on its row from now on.
        """
        trainings = [member.training for member in self.active]
        self.plain = (
            False  # whether all take a plain step of SGD, which is one operation for all of them
        )
        if stay is None and len(trainings) == 1:
            self.ensemble = EnsembleOfOne(trainings[0].engine)
        elif len(trainings) < 2:
            for training in trainings:
                _rebind(training, None)
                self.ensemble = EnsembleOfOne(training.engine)
        else:
            if isinstance(self.ensemble, Ensemble) and stay is not None:
                self.ensemble.keep(stay)
            else:
                kind = VmappedEnsemble if self.grad_enabled else StackedEnsemble
                self.ensemble = kind(
                    [training.network for training in trainings], trainings[0].loss
                )
            self.plain = all(
                isinstance(training.recipe.step, sgd)
                and training.recipe.step.plain
                and training.recipe.gradient.clip is None
                for training in trainings
            )
            for training, row in zip(
                trainings,
                zip(self.ensemble.parameters, self.ensemble.gradients, strict=True),
                strict=True,
            ):
                _rebind(training, row)

    def _outputs(self, part: str) -> list[Tensor | None]:
        """What each network gives for all of a part, [N, O]; None where it is evaluated alone."""
        if not isinstance(self.ensemble, Ensemble):
            return [None] * len(self.active)
        x, size = (
            self.active[0].training.parts[part][0],
            max(SMALLEST_CHUNK, CHUNK // len(self.active)),
        )
        modes = [
            (module, module.training)
            for member in self.active
            for module in member.training.network.modules()
        ]
        try:
            for module, _ in modes:
                module.training = False
            found = [self.ensemble.predict(piece) for piece in x.split(size)]
        finally:
            for module, mode in modes:
                module.training = mode
        return list(torch.cat(found, 1))


def _rebind(training: Training, row: Vectors | None) -> None:
    """Let a network, its engine and its step work on another memory, `row` or one of their own,
    from where they are.
    """
    recipe, trace, memory = training.recipe, training.engine.trace, training.stepper.memory
    training.engine = recipe.gradient.prepare(training.network, training.loss, row)
    training.engine.trace = trace
    training.stepper = recipe.step.prepare(training.engine.parameters, training.engine.gradients)
    training.stepper.memory.update(memory)
