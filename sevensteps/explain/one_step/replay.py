"""One step of a training, recorded while the training is repeated up to it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sevensteps.errors import ArgumentError
from sevensteps.explain.subject import Subject
from sevensteps.seeds import Isolation
from sevensteps.steps.repeat import Samples, loader
from sevensteps.training.observer import Observer
from sevensteps.training.state import Training


@dataclass(frozen=True, eq=False)
class Batch:
    """Inputs and targets as the network and the loss get them; `rows` are their places in the data,
    None where a loader of the user gave them.
    """

    x: Tensor
    y: Tensor
    rows: Tensor | None


@dataclass(frozen=True, eq=False)
class ReplayedStep:
    """A training around step `at`.

    Parameters: `start` of the training, `before` and `after` the step. `gradient` is what the
    optimizer got, `unclipped` the same before it was clipped; `memory_before` and `memory_after`
    are the optimizer's state by name. `outputs` [B, O] of the step's batches and their mean
    `losses` are before and after the step, in the training's own mode, in which dropout leaves out
    the same units both times; `loss` is what the training itself recorded.
    """

    training: Training
    at: int
    start: Tensor
    before: Tensor
    after: Tensor
    gradient: Tensor
    unclipped: Tensor
    memory_before: dict[str, Tensor]
    memory_after: dict[str, Tensor]
    lr: float
    loss: float
    epoch: int
    batches: tuple[Batch, ...]
    outputs: tuple[Tensor, Tensor]
    losses: tuple[float, float]


class StepRecorder(Observer):
    """Records what is there before and after step `at`, then asks the training to end."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.done = False

    def started(self, training: Training) -> None:
        self.start = training.engine.parameters.detach().clone()
        if self.at == 0:
            self._record_before(training)

    def stepped(self, training: Training) -> None:
        progress = training.progress
        if progress.step == self.at:
            self._record_before(training)
        if progress.step == self.at + 1:
            self.after = training.engine.parameters.detach().clone()
            self.gradient = training.engine.gradients.clone()
            self.memory_after = _optimizer_memory(training)
            self.loss, self.lr, self.epoch = progress.loss, progress.lr, progress.epoch
            self.order, self.taken = training.position.order, training.position.steps
            progress.interrupted = self.done = True

    def free_steps(self, training: Training) -> int:
        left = self.at - training.progress.step
        return left if left > 0 else 1

    def _record_before(self, training: Training) -> None:
        self.before = training.engine.parameters.detach().clone()
        self.memory_before = _optimizer_memory(training)
        self.random_states = random_states(training)


def replay_step(subject: Subject, at: int) -> ReplayedStep:
    """Step `at`, counted from 0, of the training. Raises `ArgumentError` where it took no such
    step.
    """
    count = subject.summary.steps
    if not count:
        raise ArgumentError(
            "this training took no step: nothing was to be trained; ask for shapes, or train with "
            "stop=epochs(1)"
        )
    if not 0 <= at < count:
        raise ArgumentError(
            f"there is no step {at}; the training took {count:,}, counted from 0 to {count - 1:,}"
        )
    recorder = StepRecorder(at)
    training = subject.rerun([recorder], stop=_without_time_limit(subject.recipe.stop, at))
    if not recorder.done:
        raise ArgumentError(
            f"the training was repeated, but ended before step {at}, after "
            f"{training.progress.step:,} steps; its data have changed, or its network draws random "
            "numbers of its own"
        )
    batches = _step_batches(training, recorder.order, recorder.taken)
    states = recorder.random_states
    outputs_before, loss_before = _evaluate(training, recorder.before, states, batches)
    unclipped = training.engine.gradients.clone()
    outputs_after, loss_after = _evaluate(training, recorder.after, states, batches)
    return ReplayedStep(
        training=training,
        at=at,
        start=recorder.start,
        before=recorder.before,
        after=recorder.after,
        gradient=recorder.gradient,
        unclipped=unclipped,
        memory_before=recorder.memory_before,
        memory_after=recorder.memory_after,
        lr=recorder.lr,
        loss=recorder.loss,
        epoch=recorder.epoch,
        batches=batches,
        outputs=(outputs_before, outputs_after),
        losses=(loss_before, loss_after),
    )


def random_states(training: Training) -> tuple[Tensor, Tensor | None]:
    """The states of the generators that dropout, and a network of the user's own, will draw
    from.
    """
    isolation = training.isolated_randomness
    inside = isolation.inside.clone() if isinstance(isolation, Isolation) else None
    return training.generators["dropout"].get_state(), inside


def _without_time_limit(stop: Any, at: int) -> Any:
    """The stop rule without its limit in seconds, which would end another run at another step;
    schedules still know as many steps as they did.
    """
    from sevensteps.steps.stop import first_of, max_steps, seconds

    rules = tuple(rule for rule in stop.rules() if not isinstance(rule, seconds))
    if len(rules) == len(stop.rules()):
        return stop
    return first_of(rules) if rules else max_steps(at + 1)


def _optimizer_memory(training: Training) -> dict[str, Tensor]:
    return {
        name: tensor.detach().clone()
        for name, tensor in training.stepper.memory.items()
        if isinstance(tensor, Tensor)
    }


def _step_batches(training: Training, order: Tensor | None, taken: int) -> tuple[Batch, ...]:
    """The batches of step number `taken` of an epoch that began with this `order`, with the places
    of their samples.
    """
    repeat, accumulate, samples = (
        training.recipe.repeat,
        training.recipe.gradient.accumulate,
        training.samples,
    )
    generator = torch.Generator()
    if order is not None:
        generator.set_state(order)
    is_loader = isinstance(repeat, loader)
    rows = torch.arange(len(samples.y), device=samples.y.device)
    numbered = samples if is_loader else Samples(samples.x, rows, samples.encode)
    batches = itertools.islice(
        repeat.epoch(numbered, generator, (taken - 1) * accumulate), accumulate
    )
    return tuple(Batch(x, y, None) if is_loader else Batch(x, samples.y[y], y) for x, y in batches)


def _evaluate(
    training: Training,
    parameters: Tensor,
    states: tuple[Tensor, Tensor | None],
    batches: tuple[Batch, ...],
) -> tuple[Tensor, float]:
    """Outputs and mean loss of `batches` with these `parameters` and states of the generators; the
    engine then has their gradient.
    """
    engine, count = training.engine, sum(len(batch.y) for batch in batches)
    with torch.no_grad():
        engine.parameters.copy_(parameters)
    training.generators["dropout"].set_state(states[0])
    if states[1] is not None:
        training.isolated_randomness.inside = states[1].clone()
    outputs, summed = [], 0.0
    with torch.set_grad_enabled(engine.grad_enabled):
        for index, batch in enumerate(batches):
            with training.isolated_randomness:
                outputs.append(engine.predict(batch.x).clone())
                summed += float(engine.loss(batch.y).sum())
                engine.gradient(share=len(batch.y) / count, add=index > 0)
    return torch.cat(outputs), summed / count
