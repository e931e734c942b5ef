"""Forward passes without gradients, as an evaluation makes them."""

from __future__ import annotations

from typing import Any

from torch import nn

from sevensteps.observe.network_facts import NetworkFacts
from sevensteps.observe.step_recorder import StepRecorder


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
