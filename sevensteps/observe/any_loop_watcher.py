"""Watches any loop of plain PyTorch: changes nothing in it, and costs no more than it may."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn

from sevensteps.errors import ArgumentError
from sevensteps.observe.capture import StepCapture
from sevensteps.observe.look import Look
from sevensteps.observe.look_budget import LookBudget
from sevensteps.observe.loss_graph import read_loss_graph
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import MAX_SAMPLES, Observation

USUAL_WEIGHT = 0.05  # of the step before in the time that a step usually takes


class AnyLoopWatcher:
    """Watches `network` in a training loop that calls `step(loss)`; `ss.watch` adds the doctor.

    `budget` is the share of the time that watching may cost. Raises `ArgumentError` for anything
    but a module and its optimizers.
    """

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
        optimizers = (
            [optimizers]
            if isinstance(optimizers, torch.optim.Optimizer)
            else list(optimizers or ())
        )
        for optimizer in optimizers:
            if not isinstance(optimizer, torch.optim.Optimizer):
                raise ArgumentError(
                    "watch(network, optimizer): the optimizer must be a torch.optim.Optimizer or "
                    f"a list of them, not a {type(optimizer).__name__}"
                )
        self.network, self.optimizers = network, optimizers
        self.budget = LookBudget(budget)
        self.observation = Observation(network_facts(network, optimizers))
        self._capture = StepCapture(network, optimizers, self.observation.facts.layers)
        self._names = {id(p): name for name, p in network.named_parameters()}
        # (step, loss) of losses on another device, fetched when there is a look
        self._pending_losses: list[tuple[int, Tensor]] = []
        self._mode_hook: Any = None
        self._last_rate = math.nan  # of the step before
        self._usual_seconds = 0.0  # of a step that nobody looks at, lately
        self._looked = False  # whether the step before was looked at
        self.step_number = 0
        self._entered = False

    def __enter__(self) -> Self:
        self._began = self._step_ended = time.perf_counter()
        self._entered = True
        facts = self.observation.facts
        if facts.norms or facts.dropouts:  # layers that compute otherwise in evaluation mode
            self._mode_hook = self.network.register_forward_pre_hook(self._count_evaluation)
        if self.budget.is_due(0, 0.0):
            self._capture.arm()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._capture.disarm()
        self._fetch_losses()
        if self._mode_hook is not None:
            self._mode_hook.remove()
        self._entered = False

    def step(self, loss: Tensor | float, target: Any = None) -> None:
        """Report one step of training, after `optimizer.step()`: its loss, and the targets that it
        was measured against.

        Raises `ArgumentError` for a loss of several numbers, and outside `with`.
        """
        began = time.perf_counter()
        if not self._entered:
            raise ArgumentError(
                "watch.step() belongs inside: with ss.watch(model, optimizer) as watch: …"
            )
        step, budget, capture = self.step_number, self.budget, self._capture
        look: Look | None = None
        step_seconds, elapsed = began - self._step_ended, began - self._began
        self._note(step, loss)
        if not capture.armed:
            usual = self._usual_seconds
            if self._looked:  # its numbers have pushed others out of the processor's caches
                slowdown = max(step_seconds - usual, 0.0)
                budget.looking_seconds += min(slowdown, budget.look_seconds)
            elif usual:
                self._usual_seconds += USUAL_WEIGHT * (min(step_seconds, 2 * usual) - usual)
            else:
                self._usual_seconds = step_seconds
        elif capture.outputs or capture.network_output is not None:
            look = self._look(step, loss, target)
            look.seconds = elapsed
            cost = capture.cost + time.perf_counter() - began
            # Hooks slow down what they are registered on, too.
            slowdown = (
                step_seconds - capture.cost - self._usual_seconds if self._usual_seconds else 0.0
            )
            cost += min(max(slowdown, 0.0), cost)
            budget.record_look(step, cost)
            budget.looking_seconds += cost
            capture.cost = 0.0
        self.step_number = step + 1
        observation = self.observation
        observation.steps, observation.seconds = step + 1, elapsed
        observation.watching_seconds = budget.looking_seconds + budget.noting_seconds
        if look or not capture.armed:
            if budget.is_due(step + 1, elapsed):
                capture.arm()
            elif look:
                capture.disarm()
        self._looked, self._step_ended = look is not None, time.perf_counter()
        if look is None:
            budget.noting_seconds += self._step_ended - began

    def _look(self, step: int, loss: Tensor | float, target: Any) -> Look:
        observation, capture = self.observation, self._capture
        self._fetch_losses()
        full = math.log2(step + 1).is_integer() or (
            self.budget.time_share < 1 and len(observation.looks) % 8 == 0
        )
        if observation.graph is None:
            observation.graph = read_loss_graph(loss, capture.network_output, self._names)
        if not observation.looks or observation.x is None or len(observation.x) < MAX_SAMPLES:
            observation.add_samples(capture.network_input, target)
        value = loss.item() if isinstance(loss, Tensor) else float(loss)
        look = capture.look(step, value, target, full)
        observation.add_look(look)
        return look

    def _note(self, step: int, loss: Tensor | float) -> None:
        if self.optimizers:
            lr = self.optimizers[0].param_groups[0].get("lr", 0.0)
            if lr != self._last_rate:
                self._last_rate = float(lr)
                self.observation.record_rate(step, self._last_rate)
        if isinstance(loss, Tensor):
            if not loss.is_cpu and loss.numel() == 1:
                # reading the number now would have to wait for the device
                self._pending_losses.append((step, loss.detach()))
                return
            try:
                value = loss.item()
            except RuntimeError:
                raise ArgumentError(
                    f"watch.step(loss): the loss has shape {list(loss.shape)}; give the one "
                    "number that backward() was called on"
                ) from None
        else:
            value = float(loss)
        if not self.observation.record_loss(step, value):
            self._note_not_finite(step)

    def _fetch_losses(self) -> None:
        """Read the losses that are still on another device, all at once."""
        if not self._pending_losses:
            return
        steps, losses = zip(*self._pending_losses, strict=True)
        self._pending_losses.clear()
        values = torch.stack([loss.reshape(()) for loss in losses]).tolist()
        for step, value in zip(steps, values, strict=True):
            if not self.observation.record_loss(step, value):
                self._note_not_finite(step)

    def _note_not_finite(self, step: int) -> None:
        if "first_not_finite" not in self.observation.notes:
            self.observation.notes["first_not_finite"] = step
            self.budget.next_step = step + 1

    def _count_evaluation(self, network: nn.Module, inputs: Any) -> None:
        if network.training and not torch.is_grad_enabled():
            notes = self.observation.notes
            notes["evaluations_training"] = notes.get("evaluations_training", 0) + 1

    @property
    def share(self) -> float:
        """The share of steps that were looked at."""
        return self.budget.looks / max(self.step_number, 1)

    def __repr__(self) -> str:
        observation = self.observation
        share = observation.watching_seconds / max(observation.seconds, 1e-9)
        return (
            f"<watch of {observation.facts.network}: {observation.steps} steps, "
            f"{len(observation.looks)} looks, {100 * share:.1f} % of the time>"
        )
