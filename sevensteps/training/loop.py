"""The loop: seven steps, in order, on one screen; then the observers."""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch

from sevensteps.metrics import better
from sevensteps.steps.repeat import Batch
from sevensteps.steps.stop import Always, Stop
from sevensteps.training.evaluation import evaluate
from sevensteps.training.observer import Observer
from sevensteps.training.state import EpochPosition, Training
from sevensteps.training.stretches import Ending, Stretches


def train(training: Training, observers: Sequence[Observer] = ()) -> tuple[str, str]:
    """Run `training` until a rule says stop; returns (rule, reason)."""
    # Set once here, not three times a step.
    with torch.set_grad_enabled(training.engine.grad_enabled):
        try:
            return seven_steps(training, observers)
        except BaseException:
            for observer in observers:
                observer.broken_off(training)
            raise


def seven_steps(training: Training, observers: Sequence[Observer]) -> tuple[str, str]:
    """Initialize, predict, loss, gradient, step, repeat and stop, in order, until a rule of the
    last ends it; returns (rule, reason).
    """
    recipe, progress = training.recipe, training.progress
    stop, (x, y) = Always() | recipe.stop, training.parts["train"]

    if not training.resumed:
        draw = training.generators["initialize"]
        recipe.initialize(training.network, draw, x, y, training.output)  # 1 initialize
    training.engine.begin()
    for observer in observers:
        observer.started(training)
    take_epoch: Callable[[], Ending] = functools.partial(single_steps, training, stop, observers)
    if stretches := Stretches.of(training, stop, observers):  # the same, many steps in one call
        take_epoch = stretches.epoch

    ended: tuple[str, str] | None = stop.reason(progress)
    if training.position.steps == training.per_epoch:
        ended = None  # resumed at the end of an epoch, which has not been evaluated yet
    while not ended:
        training.position.order = training.generators["order"].get_state()
        whole, ended = take_epoch()
        if whole:
            progress.epoch, progress.epoch_ended = progress.epoch + 1, True
            evaluate_epoch(training, observers)
            training.position = EpochPosition()
        ended = ended or stop.reason(progress)
        progress.epoch_ended = False

    training.gather()  # the parts of the network that other processes hold
    if training.position.steps or not progress.history:  # a part of an epoch, or nothing at all
        evaluate_epoch(training, observers)
    for observer in observers:
        observer.stopped(training, *ended)
    return ended


def single_steps(training: Training, stop: Stop, observers: Sequence[Observer]) -> Ending:
    """Steps 2 to 7 for what is left of an epoch: whether all of it was trained on, and what ended
    the training.
    """
    recipe, engine, progress = training.recipe, training.engine, training.progress
    accumulate, ended = recipe.gradient.accumulate, None
    position, began = training.position, time.perf_counter()
    passed = position.steps * accumulate  # batches of this epoch before it was resumed
    order = recipe.repeat.epoch(training.samples, training.generators["order"], passed)  # 6 repeat
    for batches in accumulation_batches(order, accumulate):
        count, summed = sum(x.shape[0] for x, _ in batches), 0.0
        for index, (x, y) in enumerate(batches):
            with training.isolated_randomness:
                engine.predict(x)  # 2 predict
                losses = engine.loss(y)  # 3 loss
                engine.gradient(share=x.shape[0] / count, add=index > 0)  # 4 gradient
            summed += float(losses.sum())
        summed = engine.all_reduce(summed, progress)  # over all processes that share the step
        if not take_step(training, count, summed):  # 5 step
            return False, None
        now = time.perf_counter()
        progress.seconds, began = progress.seconds + engine.shared_seconds(now - began), now
        for observer in observers:
            observer.stepped(training)
        if observers:
            began = time.perf_counter()  # their time is not the training's
        ended = stop.reason(progress)  # 7 stop
        if ended and position.steps < training.per_epoch:
            return False, ended
    return True, ended


def take_step(training: Training, count: int, summed: float) -> bool:
    """Step 5 with the gradient of `count` samples whose losses sum to `summed`, and the counting.

    False, and no step, where the loss is not finite.
    """
    progress, position = training.progress, training.position
    position.steps += 1
    progress.loss = summed / count
    if not math.isfinite(progress.loss):
        return False
    training.recipe.gradient.finish(training.engine.gradients, training.engine.length)
    progress.lr = training.stepper(progress.step, training.total or 1)
    progress.step += 1
    progress.samples += count
    position.samples += count
    position.loss_sum += summed
    return True


def accumulation_batches(batches: Iterable[Batch], size: int) -> Iterator[tuple[Batch, ...]]:
    """The batches of each step: `size` whose gradients are averaged, fewer at an epoch's end."""
    left = iter(batches)
    while group := tuple(itertools.islice(left, size)):
        yield group


def evaluate_epoch(
    training: Training, observers: Sequence[Observer], valid: dict[str, Any] | None = None
) -> None:
    """Evaluate the network as it is, add a row to the history, keep the best. `valid` are its
    metrics on the validation data, if known.
    """
    progress, position = training.progress, training.position
    train_loss = (
        position.loss_sum / position.samples
        if position.samples
        else progress.loss
        if position.steps
        else math.nan
    )
    row: dict[str, Any] = {
        "epoch": progress.epoch,
        "step": progress.step,
        "seconds": progress.seconds,
        "lr": progress.lr,
        "train": {"loss": train_loss},
        "valid": evaluate(training, "valid") if valid is None else valid,
    }
    if math.isnan(train_loss) and not progress.step:
        row["train"] = evaluate(training, "train")
    progress.history.append(row)
    if training.best is None or better(row["valid"], training.best.valid):
        training.best = training.checkpoint(row)
    for observer in observers:
        observer.evaluated(training, row)
