"""Notes the data as they are fed: in every step that is looked at, and in some others as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from sevensteps.observe.compiled import CompiledCode
from sevensteps.observe.data_sketch import DataSketch
from sevensteps.observe.look import Look
from sevensteps.observe.network_facts import refuses_hooks
from sevensteps.observe.step_hooks import CallWrapper, is_transformed
from sevensteps.observe.step_recorder import StepRecorder

SKETCH_SECONDS = 2.2e-4  # of one batch, about
BUDGET_SHARE = 0.15  # of the budget that sketching may take, beside looks
MOST_STEPS, FIRST_STEPS = 1 / 8, 1 / 16  # shares of steps that are sketched
# of steps in a row, because batches that stand next to each other say something of their own; the
# golden ratio spreads them, so that they fall on every part of an epoch
STRETCH, GOLDEN_RATIO = 4, (5**0.5 - 1) / 2


class DataRecorder(StepRecorder):
    """Adds to `sketch` the last input that a network gets before its parameters change in a step,
    and the step's targets: of batches that are accumulated, these are those of the last.
    """

    def __init__(
        self,
        sketch: DataSketch,
        networks: Mapping[str, nn.Module],
        budget: float,
        compiled: CompiledCode | None = None,
    ) -> None:
        super().__init__()
        self.compiled = compiled or CompiledCode()
        self.sketch, self.networks, self.budget = sketch, networks, budget
        self.share = FIRST_STEPS if budget else 0.0
        self._roots = {id(module): name for name, module in networks.items()}
        self._inputs: tuple[str, Any] | None = None  # network, arguments
        self._trained = [
            next((p for p in module.parameters() if p.requires_grad), None)
            for module in networks.values()
        ]
        self._before: list[int] = []  # versions when the step began, which change in its update
        self._wrappers: list[CallWrapper] = []
        # a compiled network would be compiled anew
        self._may_listen = not any(refuses_hooks(module) for module in networks.values())

    def set_step_seconds(self, seconds: float) -> None:
        """A step takes about so long: choose the share of steps accordingly."""
        if self.budget:
            share = BUDGET_SHARE * self.budget * seconds / SKETCH_SECONDS
            self.share = min(share, MOST_STEPS)

    def is_due(self, step: int) -> bool:
        """Whether to note the data of `step` though nobody looks at it."""
        return self._may_listen and (step // STRETCH * GOLDEN_RATIO) % 1 < self.share

    def next_due(self, step: int, until: int) -> int:
        """The first step from `step` on, and before `until`, that is due; else `until`."""
        for stretch in range(step // STRETCH, -(-until // STRETCH)) if self._may_listen else ():
            if (stretch * GOLDEN_RATIO) % 1 < self.share:
                return max(step, stretch * STRETCH)
        return until

    @property
    def listening(self) -> bool:
        """Whether the step that runs is one that is noted, but not looked at."""
        return bool(self._wrappers)

    def listen(self) -> None:
        """Note the data of the step to come, without the other hooks."""
        self._inputs = None
        self._before = self._versions()
        if self.compiled.blind or self.compiled.modules:  # PyTorch would compile them again
            return
        # a global hook would be called for every module in them
        self._wrappers = [CallWrapper(self, module) for module in self.networks.values()]

    def arm(self) -> None:
        self._inputs = None

    def disarm(self) -> None:
        self._inputs = None
        for wrapper in self._wrappers:
            wrapper.remove()
        self._wrappers = []

    def network_enters(
        self, network: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        if self._inputs is None:
            self._inputs = network, (args, kwargs)

    def show(self, network: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Of several passes of a network in one step, this one is what the step's targets belong
        to.
        """
        if self._inputs is not None and self._inputs[0] == network:
            self._inputs = network, (args, kwargs)

    def collect(self, look: Look, loss: Any, target: Any) -> None:
        self.add(look.step, target)

    def add(self, step: int, target: Any) -> None:
        """The step has ended: add its data to the sketch."""
        if self._inputs is not None:
            network, inputs = self._inputs
            if not len(self.sketch):
                self.sketch.network = network
            if network == self.sketch.network:
                self.sketch.add(step, inputs, target)

    def _versions(self) -> list[int]:
        return [0 if p is None else p._version for p in self._trained]

    def module_enters(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """A network is called in a step that is noted, but not looked at."""
        network = self._roots.get(id(module))
        if network is None or not torch.is_grad_enabled() or is_transformed():
            return
        try:
            if self._inputs is not None and self._versions() != self._before:
                return  # the step is over, and this belongs to an evaluation
            if self._inputs is None or self._inputs[0] == network:
                self._inputs = network, (args, kwargs)
        except Exception as failure:  # whatever goes wrong in here, the training goes on
            self.failed(failure)

    def module_returns(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        """What a network gives is not noted."""
