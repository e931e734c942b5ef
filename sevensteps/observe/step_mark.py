"""Tells from outside whether an optimizer has stepped: a number that changes when it does."""

from __future__ import annotations

import torch
from torch import Tensor

PROBES = 2  # parameters of an optimizer whose versions are read


class StepMark:
    """The mark of one optimizer: `now`, at the end of the step `before`, and `at_look`, the last
    time that its step was looked at; None where that is not known.

    `updates` counts the steps noted that changed its parameters.
    """

    __slots__ = (
        *("_interval", "_noted", "_optimizer", "_regular", "_updated"),
        *("at_look", "before", "now", "probes", "updates"),
    )

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self.probes: list[Tensor] = parameters[:PROBES]
        self.now: float | None = None
        self.before: float | None = None
        self.at_look: float | None = None
        self.updates = 0
        self._noted = self._updated = 0  # steps; and at the last update
        self._interval = 0  # steps from update to update
        self._regular = False

    @property
    def steps_to_update(self) -> int | None:
        """How many steps there are up to the next update, of updates that come at regular distances
        of several steps; None of others.
        """
        if not self._regular or self._interval < 2:
            return None
        left = self._updated + self._interval - self._noted
        return left if left > 0 else None

    @property
    def is_fused(self) -> bool:
        """Whether the step is fused: it leaves versions as they are, but counts its steps."""
        return bool(self._optimizer.param_groups[0].get("fused"))

    def read(self) -> float:
        """The number that changes when the optimizer steps."""
        mark = float(sum(probe._version for probe in self.probes))
        if self.is_fused:
            for probe in self.probes[:1]:
                mark += float(self._optimizer.state.get(probe, {}).get("step", 0.0))
        return mark

    def note(self, mark: float) -> None:
        """A step of the training has ended, and the number was `mark`."""
        self.before = before = self.now
        self._noted += 1
        if before is not None and mark != before:
            self.updates += 1
            interval = self._noted - self._updated
            self._regular, self._interval = interval == self._interval, interval
            self._updated = self._noted
        self.now = mark

    def watch(self, parameters: list[Tensor]) -> None:
        """Read the first of these from now on: parameters that have had gradients."""
        probes = parameters[:PROBES]
        if probes and [id(p) for p in probes] != [id(p) for p in self.probes]:
            self.probes, self.now, self.before = probes, None, None
