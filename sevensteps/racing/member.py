"""A member of a race: one training among those that are trained together."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from sevensteps.steps.stop import Always, Progress, Stop
from sevensteps.training.observer import Observer
from sevensteps.training.state import Training


@dataclass(eq=False)
class Member:
    """A training in a race: its number among the recipes, its observers, and how it ended.

    `ended` is (rule, reason), None while it is trained.
    """

    number: int
    training: Training
    observers: Sequence[Observer] = ()
    ended: tuple[str, str] | None = None
    stop: Stop = field(init=False)
    progress: Progress = field(init=False)
    step_observers: list[Observer] = field(default_factory=list)  # that see every step
    asks_each_step: bool = True  # the stop, which else answers between epochs only

    def __post_init__(self) -> None:
        self.stop, self.progress = Always() | self.training.recipe.stop, self.training.progress
        self.asks_each_step = self.training.recipe.stop.steps_left(self.progress) < sys.maxsize

    def start_observers(self) -> None:
        """The parameters are initialised; no step has been taken."""
        for observer in self.observers:
            observer.started(self.training)
            if observer.free_steps(self.training) < sys.maxsize:
                self.step_observers.append(observer)
