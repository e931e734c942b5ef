"""Parameters that a network has, but has not registered: in a plain list, in a dictionary, or as a
tensor that is no `nn.Parameter`.

`network.parameters()` does not have them, and so no optimizer that is built from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.observe.modules import modules_of, parameter_ids
from sevensteps.observe.structure import PLAIN

MAX_DEPTH = 3  # of lists in lists
MAX_ENTRIES = 256  # of one list that are looked through


def unregistered_parameters(network: nn.Module) -> dict[str, Tensor]:
    """The tensors that could be trained and that only a plain attribute of `network` or of one of
    its modules leads to, by their place: `{"hidden[0].weight": …}`.
    """
    registered = parameter_ids(network)
    every = modules_of(network)
    modules = {id(module) for _, module in every}
    places: dict[str, Tensor] = {}
    for prefix, module in every:
        for name, value in vars(module).items():
            # those with "_" are PyTorch's own, where the registered ones are
            if type(value) in PLAIN or name.startswith("_"):
                continue
            place = f"{prefix}.{name}" if prefix else name
            for where, tensor in _trainable(value, place, modules, 0):
                if id(tensor) not in registered:
                    registered.add(id(tensor))
                    places[where] = tensor
    return places


def _trainable(value: Any, place: str, modules: set[int], depth: int) -> Iterator[Any]:
    """(place, tensor) of the leaves in `value` that require a gradient."""
    if isinstance(value, nn.Module):
        if id(value) not in modules:
            for name, parameter in value.named_parameters():
                if parameter.requires_grad:
                    yield f"{place}.{name}", parameter
    elif isinstance(value, Tensor):
        if value.is_leaf and value.requires_grad and not torch.is_inference(value):
            yield place, value
        elif value.grad_fn is not None and (leaf := _only_leaf(value)) is not None:
            yield place, leaf
    elif depth < MAX_DEPTH and isinstance(value, list | tuple | Mapping):
        entries = value.items() if isinstance(value, Mapping) else enumerate(value)
        for (key, entry), _ in zip(entries, range(MAX_ENTRIES), strict=False):
            yield from _trainable(entry, f"{place}[{key!r}]", modules, depth + 1)


def _only_leaf(tensor: Tensor) -> Tensor | None:
    """The one parameter that `tensor` was computed from in a step or two, as
    `nn.Parameter(t).to(device)` is; None of anything else, such as an output that is remembered.
    """
    node: Any = tensor.grad_fn
    for _ in range(3):
        variable = getattr(node, "variable", None)
        if variable is not None:
            return variable if isinstance(variable, nn.Parameter) else None
        following = [n for n, _ in node.next_functions if n is not None]
        if len(following) != 1:
            return None
        node = following[0]
    return None
