"""The modules and parameters of a network, in fewer calls than PyTorch's own generators take."""

from __future__ import annotations

from torch import nn


def modules_of(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """`network.named_modules()`: each module once, with its name, a module before its parts."""
    if type(network).named_modules is not nn.Module.named_modules:
        return list(network.named_modules())
    modules: dict[int, tuple[str, nn.Module]] = {}
    waiting = [("", network)]
    while waiting:
        name, module = waiting.pop()
        if id(module) not in modules:
            modules[id(module)] = name, module
            start = f"{name}." if name else ""
            parts = [(start + n, part) for n, part in module._modules.items() if part is not None]
            waiting += reversed(parts)
    return list(modules.values())


def parameter_ids(network: nn.Module) -> set[int]:
    """The ids of `network.parameters()`."""
    if type(network).named_parameters is not nn.Module.named_parameters:
        return {id(p) for p in network.parameters()}
    return {
        id(p)
        for _, module in modules_of(network)
        for p in module._parameters.values()
        if p is not None
    }
