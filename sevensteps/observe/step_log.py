"""What is written down of every step, looked at or not: loss, learning rate, parts, score."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from sevensteps.errors import ArgumentError
from sevensteps.observe.observation import Observation


class StepLog:
    """Writes into `observation` what each step reports, and the learning rate of `optimizer`.

    The first step whose loss is not finite goes to `not_finite`.
    """

    def __init__(self, observation: Observation, not_finite: Callable[[int], None]) -> None:
        self.observation, self.not_finite = observation, not_finite
        self.optimizer: torch.optim.Optimizer | None = None
        # losses on another device, (step, loss), fetched when there is a look
        self._pending_losses: list[tuple[int, Tensor]] = []
        self.rate = math.nan  # of the step before

    def note(
        self,
        step: int,
        loss: Tensor | float,
        parts: Mapping[str, Tensor | float],
        score: Tensor | float | None,
        *,
        waits: bool,
    ) -> None:
        """Note what `step` reports; parts on another device only where that `waits` anyway."""
        self.note_rate(step)
        for name, value in parts.items():
            if waits or not isinstance(value, Tensor) or value.is_cpu:
                self.observation.record_part(name, step, plain_number(value))
        if score is not None:
            self.observation.record_score(step, plain_number(score))
        if isinstance(loss, Tensor) and not loss.is_cpu:
            # reading the number now would have to wait for the device
            self._pending_losses.append((step, loss.detach()))
        elif not self.observation.record_loss(step, plain_number(loss)):
            self.note_not_finite(step)

    def note_rate(self, step: int) -> None:
        """Note the learning rate of `step`, where it has changed."""
        if self.optimizer is not None:
            lr = self.optimizer.param_groups[0].get("lr", 0.0)
            if lr != self.rate:
                self.rate = float(lr)
                self.observation.record_rate(step, self.rate)

    def note_not_finite(self, step: int) -> None:
        """The loss of `step` is infinite or nan."""
        if "first_not_finite" not in self.observation.notes:
            self.observation.notes["first_not_finite"] = step
            self.not_finite(step)

    def fetch_losses(self) -> None:
        """Read the losses that are still on another device, all at once."""
        if not self._pending_losses:
            return
        steps, losses = zip(*self._pending_losses, strict=True)
        self._pending_losses.clear()
        values = torch.stack([loss.reshape(()) for loss in losses]).tolist()
        for step, value in zip(steps, values, strict=True):
            if not self.observation.record_loss(step, value):
                self.note_not_finite(step)


def check_number(call: str, what: str, value: Any, which: str) -> None:
    """Raise `ArgumentError` for anything but one number."""
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise ArgumentError(
                f"{call}: {what} has shape {list(value.shape)}; give the one number {which}"
            )
        return
    try:
        float(value)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"{call}: {what} is a {type(value).__name__}; give the one number {which}"
        ) from None


def plain_number(value: Tensor | float) -> float:
    """A number or a tensor of one, as a number: of one with a graph, without PyTorch's warning."""
    return float(value.item()) if isinstance(value, Tensor) else float(value)
