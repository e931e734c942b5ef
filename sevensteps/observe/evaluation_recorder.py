"""Forward passes without gradients, as an evaluation makes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from sevensteps.observe.compiled import CompiledCode
from sevensteps.observe.network_facts import NetworkFacts
from sevensteps.observe.step_hooks import is_transformed
from sevensteps.observe.step_recorder import StepRecorder

# of the steps that nobody looks at, those in which evaluations are noticed: the first third between
# two powers of two, and 1 in 16 of the others, spread by the golden ratio
STRETCH_SHARE, BETWEEN_SHARE, GOLDEN_RATIO = 1 / 3, 1 / 16, (5**0.5 - 1) / 2


class EvaluationRecorder(StepRecorder):
    """Counts in `notes["evaluations_training"]` the forward passes without gradients that ran in
    training mode, of networks with layers to which the mode makes a difference.
    """

    def __init__(self, facts: dict[str, NetworkFacts], notes: dict[str, Any]) -> None:
        super().__init__()
        self.networks = {name for name, own in facts.items() if own.norms or own.dropouts}
        self.notes = notes

    def network_evaluates(
        self, network: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        if network in self.networks and module.training:
            self.notes["evaluations_training"] = self.notes.get("evaluations_training", 0) + 1


class EvaluationListener:
    """Tells `recorder` of evaluations in steps that nobody looks at, from `listen()` to the step's
    own forward pass: an evaluation comes before it. All that is registered is one hook.
    """

    def __init__(
        self,
        recorder: EvaluationRecorder,
        networks: Mapping[str, nn.Module],
        compiled: CompiledCode,
        failed: Callable[[Exception], None],
    ) -> None:
        self.recorder, self.compiled, self.failed = recorder, compiled, failed
        self._roots = {
            id(module): name for name, module in networks.items() if name in recorder.networks
        }
        self._handle: Any = None

    def is_due(self, step: int) -> bool:
        """Whether to listen in `step`, though nobody looks at it.

        In stretches, so that they have the end of an epoch in them, however long it is: of a loop
        that evaluates after each epoch of 10 to 1,000 steps, one of the first five times.
        """
        octave = 1 << max(step.bit_length() - 1, 0)
        stretch = step - octave < STRETCH_SHARE * octave
        return bool(self._roots) and (stretch or (step * GOLDEN_RATIO) % 1 < BETWEEN_SHARE)

    def listen(self) -> None:
        """Be told of the next forward passes."""
        if self._handle is None and not (self.compiled.blind or self.compiled.modules):
            self._handle = register_module_forward_pre_hook(self._enters)

    def stop(self) -> None:
        """Listen no longer. May be called at any time."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def _enters(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        name = self._roots.get(id(module))
        if name is None or is_transformed():
            return
        if torch.is_grad_enabled():
            self.stop()
            return
        try:
            self.recorder.network_evaluates(name, module, args, {})
        except Exception as failure:  # whatever goes wrong in here, the training goes on
            self.failed(failure)
