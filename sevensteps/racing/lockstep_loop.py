"""Training in lockstep: the seven steps of several networks of the same shapes at once.

It is the loop of `sevensteps.training.loop` with one more axis: each member learns what the same
recipe learns when it is trained alone, up to rounding. A member that has ended is removed, and the
others go on without it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from sevensteps.engine.engine import LayerTrace
from sevensteps.engine.ensemble.base import Ensemble
from sevensteps.engine.flat_parameters import Vectors
from sevensteps.racing.ensemble_metrics import (
    ensemble_of,
    measure_last_and_best,
    measure_members,
)
from sevensteps.racing.ensemble_of_one import EnsembleOfOne
from sevensteps.racing.ensemble_watcher import EnsembleTrace, EnsembleWatcher
from sevensteps.racing.member import Member
from sevensteps.steps.repeat import Batch
from sevensteps.steps.step import Schedule, sgd
from sevensteps.training.loop import accumulation_batches, evaluate_epoch, take_step
from sevensteps.training.state import EpochPosition, Training
from sevensteps.training.stretches import SECONDS


class Lockstep:
    """Members that are trained together: through the same batches, or each in an order of its own.

    With `own_order` the batches of all members have the same sizes. `active` are the members that
    have not ended. Call `begin()` once, then `epoch()` until nobody is left.
    """

    def __init__(self, members: Sequence[Member], own_order: bool = False) -> None:
        self.active, self.own_order = list(members), own_order
        self.ensemble: Ensemble | EnsembleOfOne | None = None
        self.report: Callable[[], None] | None = None  # called after each step
        # called with members that have ended, before their observers are
        self.leaving: Callable[[Sequence[Member]], None] | None = None
        self.watcher: EnsembleWatcher | None = None  # given up where the networks cannot be traced
        self.seconds = 0.0  # of the steps of all members
        self._observers_called = 0.0  # when all observers were told of a step
        self._lr: Tensor | None = None  # [K, 1], where no schedule changes it
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
        trainings = [member.training for member in self.active]
        if not isinstance(self.ensemble, Ensemble) or not self.ensemble.traceable:
            self.watcher = None
        elif self.watcher is not None:
            self.watcher.begin([member.number for member in self.active], trainings)
        for member in self.active:
            member.start_observers()
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
        self._evaluate(self.active)
        for member in self.active:
            training, progress = member.training, member.training.progress
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
        active, ensemble, own = self.active, self.ensemble, self.own_order
        assert ensemble is not None
        looking = self._start_look()
        if looking:
            began = time.perf_counter()
        count, sums = sum(x.shape[int(own)] for x, _ in batches), [0.0] * len(active)
        with self.isolated_randomness:
            for index, (x, y) in enumerate(batches):
                share, add = x.shape[int(own)] / count, index > 0
                began += self._trace_alone(x, y, share, add)
                ensemble.predict(x, own=own)  # 2 predict
                losses = ensemble.loss(y, own=own)  # 3 loss
                ensemble.gradient(share=share, add=add)  # 4 gradient
                more = losses.sum(1).tolist() if len(active) > 1 else [float(losses[0].sum())]
                sums = [before + loss for before, loss in zip(sums, more, strict=True)]
        leaving = self._take_steps(count, sums)  # 5 step
        now = time.perf_counter()
        self.seconds += now - began
        seconds = (now - began) / len(active)
        for member in active:
            member.progress.seconds += seconds
        if self.watcher is not None:
            self.watcher.note()
        if looking:
            self._end_look()
        self._tell(now)
        for member in active:
            progress = member.progress
            if member.ended or not (member.asks_each_step or progress.interrupted):
                continue
            if ended := member.stop.reason(progress):  # 7 stop
                member.ended = ended
                if member.training.position.steps < member.training.per_epoch:
                    leaving.append(member)
        self.remove(leaving)
        if self.report is not None:
            self.report()
        return time.perf_counter()  # the time of the others is not the training's

    def _tell(self, now: float) -> None:
        """Tell the observers of a step; those that need not see each of them, now and then."""
        everybody = now - self._observers_called >= SECONDS
        if everybody:
            self._observers_called = now
        for member in self.active:
            if not member.ended:
                call_all = everybody or member.progress.interrupted
                for observer in member.observers if call_all else member.step_observers:
                    observer.stepped(member.training)

    def _take_steps(self, count: int, sums: Sequence[float]) -> list[Member]:
        """Step 5 of every member, whose losses over `count` samples have these sums.

        Returns the members that diverged, which take no step.
        """
        if not self.plain_sgd:
            diverged = [
                member
                for member, summed in zip(self.active, sums, strict=True)
                if not take_step(member.training, count, summed)
            ]
        else:
            diverged = self._count_step(count, sums)
        for member in diverged:
            member.ended = member.stop.reason(member.progress)
            member.training.engine.gradients.zero_()
        if self.plain_sgd and isinstance(self.ensemble, Ensemble):
            parameters, gradients = self.ensemble.parameters, self.ensemble.gradients
            if self._lr is None or diverged:
                rates = [[member.progress.lr] for member in self.active]
                lr = torch.tensor(rates, dtype=torch.float64).to(parameters)
                self._lr = None if self._scheduled else lr
            else:
                lr = self._lr
            parameters.addcmul_(gradients, lr, value=-1)
        return diverged

    def _count_step(self, count: int, sums: Sequence[float]) -> list[Member]:
        """The counting of `take_step` for all members, whose parameters are changed by one
        operation afterwards. Returns those whose loss is not finite.
        """
        diverged = []
        for member, summed in zip(self.active, sums, strict=True):
            training, progress = member.training, member.progress
            position = training.position
            position.steps += 1
            progress.loss = summed / count
            if not math.isfinite(progress.loss):
                diverged.append(member)
                continue
            progress.lr = training.stepper.rate(progress.step, training.total or 1)
            progress.step += 1
            progress.samples += count
            position.samples += count
            position.loss_sum += summed
        return diverged

    def _start_look(self) -> bool:
        """Let the ensemble trace the step to come, where the watcher wants to look at it."""
        watcher, ensemble = self.watcher, self.ensemble
        step = self.active[0].progress.step
        if watcher is None or ensemble is None or not watcher.is_due(step):
            return False
        watcher.prepare(ensemble.parameters)
        if isinstance(ensemble, EnsembleOfOne):
            ensemble.start_trace()
        else:
            ensemble.trace = LayerTrace()
        return True

    def _end_look(self) -> None:
        watcher, ensemble = self.watcher, self.ensemble
        assert watcher is not None
        assert ensemble is not None
        if isinstance(ensemble, EnsembleOfOne):
            traced = ensemble.end_trace()
        else:
            assert ensemble.trace is not None
            traced, ensemble.trace = EnsembleTrace(ensemble.trace, self.own_order), None
        watcher.look(traced, ensemble.parameters, ensemble.gradients)

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
        self._evaluate(
            [
                member
                for member in leaving
                if member.training.position.steps or not member.progress.history
            ]
        )
        measure_last_and_best(
            self.ensemble,
            [member.training for member in self.active],
            [member.training for member in leaving],
        )
        if self.watcher is not None:
            self.watcher.end({member.number: member.training for member in leaving})
        if self.leaving is not None:
            self.leaving(leaving)
        for member in leaving:
            assert member.ended is not None
            for observer in member.observers:
                observer.stopped(member.training, *member.ended)
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
        self._lr = None
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
                self.ensemble = ensemble_of(
                    [training.network for training in trainings],
                    trainings[0].loss,
                    self.grad_enabled,
                )
            self.plain_sgd = all(
                isinstance(training.recipe.step, sgd)
                and training.recipe.step.plain
                and training.recipe.gradient.clip is None
                for training in trainings
            )
            self._scheduled = any(
                isinstance(getattr(training.recipe.step, "lr", None), Schedule)
                for training in trainings
            )
            rows = zip(self.ensemble.parameters, self.ensemble.gradients, strict=True)
            for training, row in zip(trainings, rows, strict=True):
                _rebind(training, row)

    def _evaluate(self, members: Sequence[Member]) -> None:
        """Add a row to the history of these members."""
        active = [member.training for member in self.active]
        trainings = [member.training for member in members]
        measured = measure_members(self.ensemble, active, trainings, "valid")
        for member, valid in zip(members, measured, strict=True):
            evaluate_epoch(member.training, member.observers, valid)


def _rebind(training: Training, row: Vectors | None) -> None:
    """Let a network, its engine and its stepper go on in other memory: `row`, or their own."""
    recipe, trace, memory = training.recipe, training.engine.trace, training.stepper.memory
    training.engine = recipe.gradient.prepare(training.network, training.loss, row)
    training.engine.trace = trace
    training.stepper = recipe.step.prepare(training.engine.parameters, training.engine.gradients)
    training.stepper.memory.update(memory)
