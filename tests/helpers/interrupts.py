"""A training that is interrupted at a given step."""

from __future__ import annotations

from typing import Any

from sevensteps.training.observer import Observer


class InterruptAt(Observer):
    """An observer that interrupts after a step, as Ctrl-C does."""

    def __init__(self, step: int) -> None:
        self.step = step

    def stepped(self, training: Any) -> None:
        training.progress.interrupted = training.progress.step == self.step
