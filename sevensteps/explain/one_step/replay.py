"""One step of a training, caught by an observer while the training is repeated up to it."""

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
    """Inputs and targets as the network and the loss get them; `rows` are their places in the data, None where a loader made them."""

    x: Tensor
    y: Tensor
    rows: Tensor | None


@dataclass(frozen=True, eq=False)
class OneStep:
    """What there was before and after a step. `start` are the parameters that the training began with.

    `gradient` is what the optimizer was given, `raw` the same before it was clipped; `remembered`
    and `memory` are what the optimizer kept before and after, by name. `outputs` [B, O] of its
    batches and `mean` (their loss) are those of the training's own mode, in which dropout leaves
    out the same units before and after."""

    training: Training
    at: int
    start: Tensor
    before: Tensor
    after: Tensor
    gradient: Tensor
    raw: Tensor
    remembered: dict[str, Tensor]
    memory: dict[str, Tensor]
    lr: float
    loss: float
    epoch: int
    batches: tuple[Batch, ...]
    outputs: tuple[Tensor, Tensor]
    mean: tuple[float, float]


class Catcher(Observer):
    """Keeps what step `at` starts from and what it comes to, and then asks the training to end."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.done = False

    def started(self, training: Training) -> None:
        self.start = training.engine.parameters.detach().clone()
        if self.at == 0:
            self._before(training)

    def stepped(self, training: Training) -> None:
        if training.progress.step == self.at:
            self._before(training)
        if training.progress.step == self.at + 1:
            self.after, self.gradient = (
                training.engine.parameters.detach().clone(),
                training.engine.gradients.clone(),
            )
            self.memory = _copied(training)
            self.loss, self.lr, self.epoch = (
                training.progress.loss,
                training.progress.lr,
                training.progress.epoch,
            )
            self.order, self.taken = training.position.order, training.position.steps
            training.progress.interrupted = self.done = True

    def _before(self, training: Training) -> None:
        self.before, self.remembered, self.drawn = (
            training.engine.parameters.detach().clone(),
            _copied(training),
            drawn(training),
        )


def catch(subject: Subject, at: int) -> OneStep:
    """Step `at`, counted from 0, of the training. Raises `ArgumentError` where it took no such
    step.
    """
    count = int(subject.summary["steps"])
    if not count:
        raise ArgumentError(
            "this training took no step: nothing was to be trained; ask for shapes, or train with "
            "stop=epochs(1)"
        )
    if not 0 <= at < count:
        raise ArgumentError(
            f"there is no step {at}; the training took {count:,}, counted from 0 to {count - 1:,}"
        )
    caught = Catcher(at)
    training = subject.rerun([caught], stop=_untimed(subject.recipe.stop, at))
    if not caught.done:
        raise ArgumentError(
            f"trained again, it ended before step {at}: {training.progress.step:,} steps; its "
            "data have changed, or its "
            "network draws random numbers of its own"
        )
    batches = _batches(training, caught.order, caught.taken)
    before = _measured(training, caught.before, caught.drawn, batches)
    raw = training.engine.gradients.clone()
    after = _measured(training, caught.after, caught.drawn, batches)
    return OneStep(
        training,
        at,
        caught.start,
        caught.before,
        caught.after,
        caught.gradient,
        raw,
        caught.remembered,
        caught.memory,
        caught.lr,
        caught.loss,
        caught.epoch,
        batches,
        (before[0], after[0]),
        (before[1], after[1]),
    )


def drawn(training: Training) -> tuple[Tensor, Tensor | None]:
    """What dropout and a network of one's own will draw from."""
    isolation = training.isolated_randomness
    return training.generators["dropout"].get_state(), isolation.inside.clone() if isinstance(
        isolation, Isolation
    ) else None


def _untimed(stop: Any, at: int) -> Any:
    """The stop rule without a limit in seconds, which another day would end it elsewhere; schedules
    know as many steps as they did.
    """
    from sevensteps.steps.stop import first_of, max_steps, seconds

    left = tuple(rule for rule in stop.rules() if not isinstance(rule, seconds))
    return stop if len(left) == len(stop.rules()) else first_of(left) if left else max_steps(at + 1)


def _copied(training: Training) -> dict[str, Tensor]:
    return {
        name: held.detach().clone()
        for name, held in training.stepper.memory.items()
        if isinstance(held, Tensor)
    }


def _batches(training: Training, order: Tensor | None, taken: int) -> tuple[Batch, ...]:
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
    made = isinstance(repeat, loader)
    numbered = (
        samples
        if made
        else Samples(
            samples.x, torch.arange(len(samples.y), device=samples.y.device), samples.encode
        )
    )
    found = itertools.islice(
        repeat.epoch(numbered, generator, (taken - 1) * accumulate), accumulate
    )
    return tuple(Batch(x, y, None) if made else Batch(x, samples.y[y], y) for x, y in found)


def _measured(
    training: Training,
    parameters: Tensor,
    drew: tuple[Tensor, Tensor | None],
    batches: tuple[Batch, ...],
) -> tuple[Tensor, float]:
    """Outputs and mean loss of `batches` with these `parameters`; the engine then holds their
    gradient.
    """
    engine, count = training.engine, sum(len(batch.y) for batch in batches)
    with torch.no_grad():
        engine.parameters.copy_(parameters)
    training.generators["dropout"].set_state(drew[0])
    if drew[1] is not None:
        training.isolated_randomness.inside = drew[1].clone()
    outputs, summed = [], 0.0
    with torch.set_grad_enabled(engine.grad_enabled):
        for index, batch in enumerate(batches):
            with training.isolated_randomness:
                outputs.append(engine.predict(batch.x).clone())
                summed += float(engine.loss(batch.y).sum())
                engine.gradient(share=len(batch.y) / count, add=index > 0)
    return torch.cat(outputs), summed / count
