"""Looks into any PyTorch training loop, changes nothing in it, and costs no more than it may."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.errors import ArgumentError
from sevensteps.observe import graph
from sevensteps.observe.budget import Schedule
from sevensteps.observe.capture import Capture
from sevensteps.observe.look import Look
from sevensteps.observe.network_facts import facts_of
from sevensteps.observe.observation import Observed, keep_samples, thin

EASE = 0.05  # weight of the last step in what a step usually takes


class Watcher:
    """Watches `network` in a training loop; `ss.watch` adds the doctor to it."""

    def __init__(
        self,
        network: nn.Module,
        optimizers: torch.optim.Optimizer | Iterable[torch.optim.Optimizer] | None,
        budget: float,
    ) -> None:
        if not isinstance(network, nn.Module):
            raise ArgumentError(
                "watch(network, optimizer): the network must be a torch.nn.Module, not a "
                f"{type(network).__name__}"
            )
        given = (
            [optimizers]
            if isinstance(optimizers, torch.optim.Optimizer)
            else list(optimizers or ())
        )
        for optimizer in given:
            if not isinstance(optimizer, torch.optim.Optimizer):
                raise ArgumentError(
                    "watch(network, optimizer): the optimizer must be a torch.optim.Optimizer or "
                    "a list of them, "
                    f"not a {type(optimizer).__name__}"
                )
        self.network, self.optimizers = network, given
        self.schedule = Schedule(budget)
        self.observed = Observed(facts_of(network, given))
        self._capture = Capture(network, given, self.observed.facts.layers)
        self._names = {id(p): name for name, p in network.named_parameters()}
        self._waiting: list[
            tuple[int, Tensor]
        ] = []  # losses on another device, fetched when there is a look
        self._mode: Any = None
        self._rate = math.nan  # the learning rate of the last step
        self._usual = 0.0  # seconds of a step that nobody looks at, lately
        self._looked = False  # whether the last step was looked at
        self.step_number = 0
        self._open = False

    def __enter__(self) -> Watcher:
        self._began = self._ended = time.perf_counter()
        self._open = True
        if self.observed.facts.norms or self.observed.facts.dropouts:  # layers that mind the mode
            self._mode = self.network.register_forward_pre_hook(self._evaluating)
        if self.schedule.due(0, 0.0):
            self._capture.arm()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._capture.disarm()
        self._fetch()
        if self._mode is not None:
            self._mode.remove()
        self._open = False

    def step(self, loss: Tensor | float, target: Any = None) -> None:
        """Tell of one step of training, after `optimizer.step()`: its loss, and the targets that it
        was measured against.

        Raises `ArgumentError` for a loss of several numbers, and outside `with`.
        """
        began = time.perf_counter()
        if not self._open:
            raise ArgumentError(
                "watch.step() belongs inside: with ss.watch(model, optimizer) as watch: …"
            )
        step, observed, schedule, capture = (
            self.step_number,
            self.observed,
            self.schedule,
            self._capture,
        )
        looked: Look | None = None
        took, elapsed = began - self._ended, began - self._began
        self._note(step, loss)
        if not capture.armed:
            if self._looked:  # whose numbers have pushed others out of the processor's caches
                schedule.spent += min(max(took - self._usual, 0.0), schedule.each)
            else:
                self._usual += (
                    EASE * (min(took, 2 * self._usual) - self._usual) if self._usual else took
                )
        elif capture.calls or capture.output is not None:
            looked = self._look(step, loss, target)
            looked.seconds = elapsed
            cost = capture.cost + time.perf_counter() - began
            slower = (
                took - capture.cost - self._usual if self._usual else 0.0
            )  # hooks slow down what they hang on, too
            cost += min(max(slower, 0.0), cost)
            schedule.looked(step, cost)
            schedule.spent += cost
            capture.cost = 0.0
        self.step_number = step + 1
        observed.steps, observed.seconds, observed.spent = (
            step + 1,
            elapsed,
            schedule.spent + schedule.always,
        )
        if looked or not capture.armed:
            if schedule.due(step + 1, elapsed):
                capture.arm()
            elif looked:
                capture.disarm()
        self._looked, self._ended = looked is not None, time.perf_counter()
        if looked is None:
            schedule.always += self._ended - began

    def _look(self, step: int, loss: Tensor | float, target: Any) -> Look:
        observed, capture = self.observed, self._capture
        self._fetch()
        full = math.log2(step + 1).is_integer() or (
            self.schedule.budget < 1 and len(observed.looks) % 8 == 0
        )
        if observed.graph is None:
            observed.graph = graph.read(loss, capture.output, self._names)
        if not observed.looks or observed.x is None or len(observed.x) < 1024:
            keep_samples(observed, capture.input, target)
        look = capture.look(
            step, loss.item() if isinstance(loss, Tensor) else float(loss), target, full
        )
        observed.looks.append(look)
        thin(observed.looks)
        return look

    def _note(self, step: int, loss: Tensor | float) -> None:
        if (
            self.optimizers
            and (lr := self.optimizers[0].param_groups[0].get("lr", 0.0)) != self._rate
        ):
            self._rate = float(lr)
            self.observed.rate(step, self._rate)
        if isinstance(loss, Tensor):
            if not loss.is_cpu and loss.numel() == 1:
                self._waiting.append(
                    (step, loss.detach())
                )  # a number would have to wait for the device
                return
            try:
                value = loss.item()
            except RuntimeError:
                raise ArgumentError(
                    f"watch.step(loss): the loss has shape {list(loss.shape)}; give the one "
                    "number that backward() "
                    "was called on"
                ) from None
        else:
            value = float(loss)
        if not self.observed.loss(step, value):
            self._not_finite(step)

    def _fetch(self) -> None:
        """Read the losses that wait on another device, all at once."""
        if not self._waiting:
            return
        steps, losses = zip(*self._waiting, strict=True)
        self._waiting.clear()
        for step, value in zip(
            steps, torch.stack([loss.reshape(()) for loss in losses]).tolist(), strict=True
        ):
            if not self.observed.loss(step, value):
                self._not_finite(step)

    def _not_finite(self, step: int) -> None:
        if "first_not_finite" not in self.observed.notes:
            self.observed.notes["first_not_finite"] = step
            self.schedule.next = step + 1

    def _evaluating(self, network: nn.Module, inputs: Any) -> None:
        if network.training and not torch.is_grad_enabled():
            self.observed.notes["evaluations_training"] = (
                self.observed.notes.get("evaluations_training", 0) + 1
            )

    @property
    def share(self) -> float:
        """The share of steps that were looked at."""
        return self.schedule.looks / max(self.step_number, 1)

    def __repr__(self) -> str:
        observed = self.observed
        return (
            f"<watch of {observed.facts.network}: {observed.steps} steps, {len(observed.looks)} "
            "looks, "
            f"{100 * observed.spent / max(observed.seconds, 1e-9):.1f} % of the time>"
        )
