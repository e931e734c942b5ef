"""Watches a training of `ss.train`: its looks read what the engine has computed anyway."""

from __future__ import annotations

import dataclasses
import math
import time

import torch
from jaxtyping import Float64
from torch import Tensor

from sevensteps.engine.engine import LayerTrace
from sevensteps.observe.layer_recorder import LayerRecorder
from sevensteps.observe.look import Look
from sevensteps.observe.look_measures import first_rows, measure_flat_changes, measure_signals
from sevensteps.observe.look_schedule import LookSchedule, step_size
from sevensteps.observe.network_facts import NetworkFacts, network_facts
from sevensteps.observe.observation import Observation
from sevensteps.observe.step_hooks import StepHooks
from sevensteps.training.observer import Observer
from sevensteps.training.state import Training

PYTORCH_NAMES = {
    "sgd": "SGD",
    "adam": "Adam",
    "adamw": "AdamW",
    "rmsprop": "RMSprop",
    "adagrad": "Adagrad",
}


def training_facts(training: Training) -> NetworkFacts:
    """The network's facts, with step 5 as the one optimizer group that updates all trained
    parameters.
    """
    step = training.recipe.step
    settings = {
        f.name: v
        for f in dataclasses.fields(step)
        if isinstance(v := getattr(step, f.name), int | float | bool | str | tuple)
    }
    facts, name = network_facts(training.network), type(step).__name__
    group = {
        **settings,
        "optimizer": PYTORCH_NAMES.get(name, name),
        "lr": training.stepper.rate(0, training.total or 1),
    }
    parameters = {
        key: dataclasses.replace(p, group=0 if p.trained else None)
        for key, p in facts.parameters.items()
    }
    return dataclasses.replace(facts, groups=(group,), parameters=parameters)


class TrainingWatcher(Observer):
    """An observer of our own loop that looks into the network; it changes nothing in the training,
    to the last bit.

    `budget` is the share of the time that it may cost; `observation` what was observed so far of a
    training that is resumed. After `started`, `observation` is there.
    """

    def __init__(self, budget: float, observation: Observation | None = None) -> None:
        self.schedule = LookSchedule(budget)
        self.observation = observation
        self._layers: LayerRecorder | None = None
        self._hooks = StepHooks({}, [], [])

    def started(self, training: Training) -> None:
        network = training.network
        if self.observation is None:
            self.observation = Observation(training_facts(training))
            self.observation.notes["loss"] = repr(training.recipe.loss)
        self.schedule.looking_seconds = self.observation.watching_seconds
        self._layers = (
            LayerRecorder(network, [], self.observation.facts.layers)
            if training.engine.grad_enabled
            else None
        )
        self._hooks = StepHooks({"": network}, [], [self._layers] if self._layers else [])
        self._last_rate = math.nan  # of the step before
        self._parameters_before: Tensor | None = None
        # seconds of training when the step after a look began: the look slows that step down
        self._slowed_since: float | None = None
        if self.schedule.is_due(training.progress.step):
            self._prepare(training)

    def stepped(self, training: Training) -> None:
        observation, schedule = self.observation, self.schedule
        assert observation is not None
        began, progress = time.perf_counter(), training.progress
        step = progress.step - 1
        observation.record_loss(step, progress.loss)
        if progress.lr != self._last_rate:
            observation.record_rate(step, progress.lr)
            self._last_rate = progress.lr
        slowdown = 0.0
        # A look slows down its own step, and the one after it, whose data it pushed out.
        if self._slowed_since is not None and step:
            slowdown = self._slowdown(progress.seconds, step)
        if self._parameters_before is None and not schedule.is_due(step + 1):
            schedule.noting_seconds += time.perf_counter() - began
            return
        if self._parameters_before is not None:
            self._look(training, step)
            seconds = time.perf_counter() - began + self._preparing + slowdown
            schedule.record_look(step, seconds, progress.seconds + schedule.looking_seconds)
            self._stop_tracing(training)
            self._slowed_since = progress.seconds
        self._record_time(training)
        if schedule.is_due(step + 1):
            self._prepare(training)
        schedule.looking_seconds += time.perf_counter() - began

    def free_steps(self, training: Training) -> int:
        if self._parameters_before is not None:
            return 1  # the look
        return max(1, self.schedule.steps_until_due(training.progress.step))

    def stretched(
        self, training: Training, losses: Float64[Tensor, "K"], rates: Float64[Tensor, "K"]
    ) -> None:
        observation, schedule, progress = self.observation, self.schedule, training.progress
        assert observation is not None
        began, first = time.perf_counter(), progress.step - len(losses)
        observation.record_losses(first, losses)
        observation.record_rates(first, rates)
        self._last_rate = progress.lr
        if self._slowed_since is not None and first:
            self._slowdown(progress.seconds, first, len(losses))
        if schedule.is_due(progress.step):
            schedule.noting_seconds += time.perf_counter() - began
            began = time.perf_counter()
            self._record_time(training)
            self._prepare(training)
            schedule.looking_seconds += time.perf_counter() - began
        else:
            schedule.noting_seconds += time.perf_counter() - began

    def stopped(self, training: Training, rule: str, reason: str) -> None:
        assert self.observation is not None
        self._stop_tracing(training)
        self._record_time(training)
        progress = training.progress
        if progress.step and not math.isfinite(progress.loss):
            self.observation.record_loss(progress.step, progress.loss)
            self.observation.notes["first_not_finite"] = progress.step

    def broken_off(self, training: Training) -> None:
        if self.observation is not None:
            self._stop_tracing(training)

    def _slowdown(self, seconds: float, before: int, count: int = 1) -> float:
        """Seconds by which the last `count` steps took longer than the steps `before` them."""
        assert self._slowed_since is not None
        usual = count * self._slowed_since / before
        slowdown = min(
            max(seconds - self._slowed_since - usual, 0.0), self.schedule.look_seconds or math.inf
        )
        self.schedule.looking_seconds += slowdown
        self._slowed_since = None
        return slowdown

    def _record_time(self, training: Training) -> None:
        assert self.observation is not None
        watching = self.schedule.looking_seconds + self.schedule.noting_seconds
        self.observation.steps = training.progress.step
        self.observation.seconds = training.progress.seconds + watching
        self.observation.watching_seconds = watching
        if self.schedule.thinned is not None:
            self.observation.notes["thinned"] = self.schedule.thinned

    def _prepare(self, training: Training) -> None:
        """Have the engine trace the step to come."""
        began = time.perf_counter()
        self._parameters_before = training.engine.parameters.detach().clone()
        self._slowed_since = training.progress.seconds
        training.engine.trace = LayerTrace()
        if self._layers is not None:
            self._layers.arm()
            self._hooks.register()
        self._preparing = time.perf_counter() - began

    def _stop_tracing(self, training: Training) -> None:
        self._parameters_before = training.engine.trace = None
        if self._layers is not None:
            self._hooks.remove()
            self._layers.disarm()

    def _look(self, training: Training, step: int) -> None:
        observation, engine, before = self.observation, training.engine, self._parameters_before
        assert observation is not None
        assert before is not None
        full = self.schedule.is_full(step)
        trace = engine.trace or LayerTrace()
        look = Look(step, training.progress.loss, full=full)
        outputs = {name: [tuple(y.shape)] for name, y in trace.outputs.items()}
        if self._layers is not None:
            outputs = self._layers.output_shapes()
            self._layers.measure(look, None)
        else:
            gradients = trace.output_gradients
            look.signals = measure_signals(
                {
                    name: ([y], [gradients[name]] if name in gradients else [])
                    for name, y in trace.outputs.items()
                    if name in observation.facts.layers
                },
                observation.facts.layers,
                full,
            )
            look.output = first_rows(trace.output)
            look.output_gradient = first_rows(trace.output_gradient)
        self.schedule.set_size(step_size(observation.facts, outputs))
        look.changes = measure_flat_changes(
            engine.parameters.detach(), engine.gradients, before, engine.slices, full
        )
        look.lr, look.leftover_gradient = (training.progress.lr,), 0.0
        look.stepped = True
        look.seconds = training.progress.seconds
        look.training = training.network.training
        look.batch = 0 if trace.input is None else len(trace.input)
        tensors = {"input": trace.input, "output": trace.output, "target": trace.target}
        look.shapes |= {
            name: tuple(tensor.shape)
            for name, tensor in tensors.items()
            if isinstance(tensor, torch.Tensor)
        }
        look.target = first_rows(trace.target)
        observation.add_samples(trace.input, trace.target)
        observation.add_look(look)
