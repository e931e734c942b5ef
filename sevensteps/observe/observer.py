"""Watching a training of `ss.train`: the same looks, from what the engine has computed anyway."""

from __future__ import annotations

import dataclasses
import math
import time

import torch
from torch import Tensor

from sevensteps.engine.engine import Seen
from sevensteps.observe.budget import Schedule
from sevensteps.observe.capture import Capture
from sevensteps.observe.look import Look, flat_changes, signals, some_rows
from sevensteps.observe.network_facts import Facts, facts_of
from sevensteps.observe.observation import Observed, keep_samples, thin
from sevensteps.training.observer import Observer
from sevensteps.training.state import Training

CLASSES = {
    "sgd": "SGD",
    "adam": "Adam",
    "adamw": "AdamW",
    "rmsprop": "RMSprop",
    "adagrad": "Adagrad",
}  # PyTorch's names


def facts_in(training: Training) -> Facts:
    """The facts of a training of ours: its step as the one optimizer group that moves all trained
    parameters.
    """
    step = training.recipe.step
    settings = {
        f.name: v
        for f in dataclasses.fields(step)
        if isinstance(v := getattr(step, f.name), int | float | bool | str | tuple)
    }
    facts, name = facts_of(training.network), type(step).__name__
    group = {
        **settings,
        "optimizer": CLASSES.get(name, name),
        "lr": training.stepper.rate(0, training.total or 1),
    }
    parameters = {
        key: dataclasses.replace(p, group=0 if p.trained else None)
        for key, p in facts.parameters.items()
    }
    return dataclasses.replace(facts, groups=(group,), parameters=parameters)


class Watching(Observer):
    """An observer of the loop that looks into the network; it changes nothing in the training, to the last bit.

    `budget` is the share of time that it may cost; `observed` what was seen so far of a training
    that goes on."""

    def __init__(self, budget: float, observed: Observed | None = None) -> None:
        self.schedule = Schedule(budget)
        self.observed = observed

    def started(self, training: Training) -> None:
        network = training.network
        if self.observed is None:
            self.observed = Observed(facts_in(training))
            self.observed.notes["loss"] = repr(training.recipe.loss)
        self.schedule.spent = self.observed.spent
        self.network_parameters = {
            key: p for key, p in network.named_parameters() if p.requires_grad
        }
        self._capture = (
            Capture(network, [], self.observed.facts.layers) if training.engine.taped else None
        )
        self._rate = math.nan  # the learning rate of the last step
        self._before: Tensor | None = None
        self._measured: float | None = (
            None  # seconds of training when a step began whose slowness is a look's
        )
        if self.schedule.due(0, 0.0):
            self._prepare(training)

    def stepped(self, training: Training) -> None:
        observed, schedule = self.observed, self.schedule
        assert observed is not None
        began, progress = time.perf_counter(), training.progress
        step = progress.step - 1
        observed.loss(step, progress.loss)
        if progress.lr != self._rate:
            observed.rate(step, progress.lr)
            self._rate = progress.lr
        slower = 0.0
        if (
            self._measured is not None and step
        ):  # what a look slows down: its own step, and the one after it, whose data it pushed out
            slower = min(
                max(progress.seconds - self._measured - self._measured / step, 0.0),
                schedule.each or math.inf,
            )
            schedule.spent += slower
            self._measured = None
        if self._before is None and not schedule.due(step + 1, progress.seconds):
            schedule.always += time.perf_counter() - began
            return
        if self._before is not None:
            self._look(training, step, began)
            schedule.looked(step, time.perf_counter() - began + self._preparing + slower)
            self._leave(training)
            self._measured = progress.seconds
        spent = schedule.spent + schedule.always
        observed.steps, observed.seconds, observed.spent = step + 1, progress.seconds + spent, spent
        if schedule.due(step + 1, progress.seconds):
            self._prepare(training)
        schedule.spent += time.perf_counter() - began

    def stopped(self, training: Training, rule: str, reason: str) -> None:
        assert self.observed is not None
        self._leave(training)
        progress = training.progress
        spent = self.schedule.spent + self.schedule.always
        self.observed.steps, self.observed.seconds, self.observed.spent = (
            progress.step,
            progress.seconds + spent,
            spent,
        )
        if progress.step and not math.isfinite(progress.loss):
            self.observed.loss(progress.step, progress.loss)
            self.observed.notes["first_not_finite"] = progress.step

    def _prepare(self, training: Training) -> None:
        """Have the next step seen."""
        began = time.perf_counter()
        self._before, self._measured = (
            training.engine.parameters.detach().clone(),
            training.progress.seconds,
        )
        training.engine.seen = Seen()
        if self._capture is not None:
            self._capture.arm()
        self._preparing = time.perf_counter() - began

    def _leave(self, training: Training) -> None:
        self._before = training.engine.seen = None
        if self._capture is not None:
            self._capture.disarm()

    def _look(self, training: Training, step: int, began: float) -> None:
        observed, engine, before = self.observed, training.engine, self._before
        assert observed is not None
        assert before is not None
        full = math.log2(step + 1).is_integer() or len(observed.looks) % 8 == 0
        seen = engine.seen or Seen()
        if self._capture is not None:
            look = self._capture.look(step, training.progress.loss, None, full)
        else:
            look = Look(step, training.progress.loss)
            look.signals = signals(
                {
                    name: ([y], [seen.slopes[name]] if name in seen.slopes else [])
                    for name, y in seen.outputs.items()
                    if name in observed.facts.layers
                },
                observed.facts.layers,
                full,
            )
            look.output, look.slope = some_rows(seen.output), some_rows(seen.slope)
        look.changes = flat_changes(
            engine.parameters.detach(), engine.gradients, before, engine.slices, full
        )
        look.lr, look.left, look.seconds = (training.progress.lr,), 0.0, training.progress.seconds
        look.training, look.batch = (
            training.network.training,
            0 if seen.input is None else len(seen.input),
        )
        for name, tensor in (
            ("input", seen.input),
            ("output", seen.output),
            ("target", seen.target),
        ):
            if isinstance(tensor, torch.Tensor):
                look.shapes[name] = tuple(tensor.shape)
        look.target = some_rows(seen.target)
        keep_samples(observed, seen.input, seen.target)
        observed.looks.append(look)
        thin(observed.looks)
