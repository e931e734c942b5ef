"""A training that is interrupted at a given step."""

from __future__ import annotations

from typing import Any


class At:
    """An observer that interrupts after a step, as Ctrl-C does."""

    def __init__(self, step: int) -> None:
        self.step = step

    def started(self, training: Any) -> None:
        return None

    def stepped(self, training: Any) -> None:
        training.progress.interrupted = training.progress.step == self.step

    def evaluated(self, training: Any, row: dict[str, Any]) -> None:
        return None

    def stopped(self, training: Any, rule: str, reason: str) -> None:
        return None
