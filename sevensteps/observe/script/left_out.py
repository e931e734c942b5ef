"""A network that gets gradients and that no optimizer has, beside one whose optimizers were to have
its parameters.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from torch import nn

from sevensteps.observe.script.roots import name_of, optimizer_tensors, parameter_ids
from sevensteps.observe.script.training import ScriptTraining


def note_left_out(
    training: ScriptTraining, called: Iterable[nn.Module], members: Collection[int]
) -> None:
    """Note it where two optimizers of a training have the same parameters, or where those of none
    have a gradient when they step. `called` are modules that no optimizer has, `members` the ids of
    those that belong to a training.
    """
    optimizers = [optimizer_tensors(o) for o in training.optimizers.values()]
    held = [frozenset(parameter_ids(tensors)) for tensors in optimizers]
    twice = len(set(held)) < len(held)
    pulled = any(t.grad is not None for tensors in optimizers for t in tensors)
    if training.watcher is None or (pulled and not twice):
        return
    notes: dict[str, Any] = training.watcher.observation.notes
    for module in called:
        parameters = [p for p in module.parameters() if p.requires_grad]
        if id(module) in members or any(id(p) in own for own in held for p in parameters):
            continue
        if parameters and all(p.grad is not None for p in parameters):
            kind = type(module).__name__
            count = sum(p.numel() for p in parameters)
            notes["left_out"] = [name_of(module) or kind, kind, count, 2 if twice else 1]
