"""In what order a script calls its network, `backward`, `step` and `zero_grad`, and where: kept for
a training of which no step is ever completed.
"""

from __future__ import annotations

import itertools
from typing import Any, Literal

from torch import Tensor

from sevensteps.observe.script.roots import name_of, place_of_call

Event = Literal["forward", "backward", "step", "clear", "scale"]
MAX_EVENTS = 64  # of which the order and the places are kept


class StepOrder:
    """What was called, in which order, and where, until `close()`: a first step was completed."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.places: dict[str, str] = {}  # of the first call of each kind
        self.optimizer = ""  # what the script calls it
        self.losses: list[Tensor] = []  # the first and the last
        self._events: list[Event] = []
        self._open = True

    def note(self, event: Event, subject: Any = None) -> None:
        """Something is called: of a `backward` the loss is the subject, else the optimizer."""
        if not self._open:
            return
        self.counts[event] = self.counts.get(event, 0) + 1
        if len(self._events) < MAX_EVENTS:
            self._events.append(event)
        if event not in self.places:
            self.places[event] = place_of_call()
            if event in ("step", "clear"):
                self.optimizer = name_of(subject) or self.optimizer
        if event == "backward" and isinstance(subject, Tensor):
            self.losses[1:] = [subject.detach()]

    def close(self) -> None:
        """A step was completed: what follows is seen in other ways."""
        self._open = False
        self._events.clear()
        self.losses.clear()

    @property
    def completed(self) -> bool:
        """Whether a step was ever completed."""
        return not self._open

    @property
    def round(self) -> tuple[Event, ...]:
        """What follows a forward pass up to the next, each once, in the order of the second round,
        since the first may begin in its midst; empty where there were no two.
        """
        starts = [i for i, event in enumerate(self._events) if event == "forward"]
        rounds = [
            tuple(dict.fromkeys(self._events[start + 1 : end]))
            for start, end in itertools.pairwise(starts)
        ]
        distinct: list[tuple[Event, ...]] = [one for one in rounds if one]
        return distinct[min(1, len(distinct) - 1)] if distinct else ()
