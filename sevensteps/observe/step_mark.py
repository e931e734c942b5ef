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

    __slots__ = ("_optimizer", "_probes", "at_look", "before", "now", "updates")

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self._probes: list[Tensor] = parameters[:PROBES]
        self.now: float | None = None
        self.before: float | None = None
        self.at_look: float | None = None
        self.updates = 0

    def note(self) -> None:
        """A step of the training has ended."""
        self.before = before = self.now
        mark = 0.0
        for probe in self._probes:
            mark += probe._version
        if self._optimizer.param_groups[0].get("fused"):
            # a fused step leaves the versions as they are, but counts its steps
            for probe in self._probes[:1]:
                mark += float(self._optimizer.state.get(probe, {}).get("step", 0.0))
        if before is not None and mark != before:
            self.updates += 1
        self.now = mark

    def watch(self, parameters: list[Tensor]) -> None:
        """Read the first of these from now on: parameters that have had gradients."""
        probes = parameters[:PROBES]
        if probes and [id(p) for p in probes] != [id(p) for p in self._probes]:
            self._probes, self.now, self.before = probes, None, None
