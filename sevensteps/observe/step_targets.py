"""The targets of the losses that a step computes: where they came from, and which network's output
each was compared with.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from sevensteps.observe.call_content import is_readable, origin_of_target
from sevensteps.observe.loss_terms import StepGraph
from sevensteps.observe.network_answers import NetworkAnswers
from sevensteps.observe.structure import tensors_of


class StepTargets:
    """The targets of one step's losses, by where they lie in memory, each with the node that its
    loss returned.
    """

    def __init__(self) -> None:
        self._targets: dict[int, tuple[weakref.ref[Tensor], Any]] = {}

    def note(self, target: Any, node: Any) -> None:
        """A loss with this target returned `node`."""
        if is_readable(target):
            self._targets[target.data_ptr()] = weakref.ref(target), node

    def networks_of(self, targets: Any, graph: StepGraph) -> dict[str, str]:
        """The networks whose outputs these targets were compared with, by the path of each target;
        only of those where it is known.
        """
        networks = {}
        for path, tensor in tensors_of(targets).items():
            if not is_readable(tensor):
                continue
            target, node = self._targets.get(tensor.data_ptr(), (None, None))
            if node is None or target is None or (other := target()) is None:
                continue
            if other.numel() == tensor.numel() and (network := graph.network_behind(node)):
                networks[path] = network
        return networks


def origin_of(
    arguments: Mapping[str, Any], answers: NetworkAnswers, inputs: list[Tensor]
) -> str | None:
    """Where the target among a loss's arguments came from: "output", "network", or what
    `origin_of_target` says of it and the networks' `inputs`; None where there is none.
    """
    target = arguments.get("target", arguments.get("targets"))
    if not isinstance(target, Tensor):
        return None
    if target.grad_fn is not None or target.requires_grad:
        return "output"
    if answers.note_target(target):
        return "network"
    with torch.no_grad():
        return origin_of_target(target, inputs)
