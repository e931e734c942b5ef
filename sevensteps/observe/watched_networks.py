"""What is to be watched: one network or several by name, each with its optimizers."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from sevensteps.errors import ArgumentError
from sevensteps.observe.network_facts import bare_module


@dataclass(frozen=True)
class WatchedNetwork:
    """A network, and the optimizers that train it."""

    called: nn.Module  # what the loop calls
    optimizers: tuple[torch.optim.Optimizer, ...]

    @property
    def module(self) -> nn.Module:
        """The module itself, out of what `torch.compile` wraps it in."""
        return bare_module(self.called)


def watched_networks(network: Any, optimizer: Any) -> dict[str, WatchedNetwork]:
    """The networks that `ss.watch(network, optimizer)` means, by name; one alone is named "".

    `network` is a module, a list of modules, which is taken as `nn.ModuleList` is, or a mapping
    from names to modules or pairs (module, optimizer). A container of networks that are called one
    by one, each with an optimizer of its own, is a network for each child. Raises `ArgumentError`
    for anything else.
    """
    several = isinstance(network, list | tuple) and bool(network)
    if several and all(isinstance(one, nn.Module) for one in network):
        network = nn.ModuleList(network)
    if isinstance(network, nn.Module):
        network = called_module(network)
        optimizers = optimizers_of(optimizer)
        parts = _parts_with_own_optimizer(network, optimizers)
        return parts or {"": WatchedNetwork(network, optimizers)}
    if not isinstance(network, Mapping):
        raise ArgumentError(
            "watch(network, optimizer): the network must be a torch.nn.Module, a list of modules, "
            f"or a mapping from names to networks, not a {type(network).__name__}"
        )
    shared = optimizers_of(optimizer)
    networks: dict[str, WatchedNetwork] = {}
    for name, entry in network.items():
        pair = entry if isinstance(entry, tuple | list) else (entry, None)
        if not isinstance(name, str) or not name or "." in name:
            raise ArgumentError(
                f"watch({{name: …}}): {name!r} is no name of a network; give a word"
            )
        if len(pair) != 2 or not isinstance(pair[0], nn.Module):
            raise ArgumentError(
                f"watch({{{name!r}: …}}): give a torch.nn.Module, or a pair of it and its "
                f"optimizer, not a {type(entry).__name__}"
            )
        own = optimizers_of(pair[1]) + tuple(o for o in shared if _trains(o, pair[0]))
        networks[name] = WatchedNetwork(called_module(pair[0]), own)
    return networks


def optimizers_of(optimizer: Any) -> tuple[torch.optim.Optimizer, ...]:
    """One optimizer, several, or None, as a tuple; what wraps an optimizer is looked through.

    Raises `ArgumentError` for anything else.
    """
    if optimizer is None:
        return ()
    several = optimizer if isinstance(optimizer, Iterable) else [optimizer]
    found = []
    for one in several:
        wrapped = one
        while isinstance(inner := getattr(wrapped, "optimizer", None), torch.optim.Optimizer):
            wrapped = inner
        if not isinstance(wrapped, torch.optim.Optimizer):
            raise ArgumentError(
                "watch(network, optimizer): the optimizer must be a torch.optim.Optimizer or "
                f"a list of them, not a {type(one).__name__}"
            )
        found.append(wrapped)
    return tuple(found)


def _parts_with_own_optimizer(
    network: nn.Module, optimizers: tuple[torch.optim.Optimizer, ...]
) -> dict[str, WatchedNetwork]:
    """The children of a module that cannot be called itself, where each has an optimizer for itself
    alone; else nothing.
    """
    children = {name: child for name, child in network.named_children() if any_parameters(child)}
    # PyTorch's stand-in for a missing `forward`
    # (read statically: a scripted module has its own way to look it up)
    forward = inspect.getattr_static(type(network), "forward", None)
    callable_ = getattr(forward, "__name__", "") != "_forward_unimplemented"
    if callable_ or len(children) < 2 or len(optimizers) < 2:
        return {}
    trained = {
        name: tuple(optimizer for optimizer in optimizers if _trains(optimizer, child))
        for name, child in children.items()
    }
    everyone = [id(optimizer) for own in trained.values() for optimizer in own]
    if len(everyone) != len(set(everyone)) or not all(trained.values()):
        return {}
    return {name: WatchedNetwork(child, trained[name]) for name, child in children.items()}


def called_module(module: nn.Module) -> nn.Module:
    """The module whose calls are watched: that inside of data parallel training, which calls it."""
    if isinstance(module, nn.parallel.DistributedDataParallel | nn.DataParallel):
        inner: nn.Module = module.module
        return inner
    return module


def any_parameters(module: nn.Module) -> bool:
    """Whether a module has parameters."""
    return next(module.parameters(), None) is not None


def _trains(optimizer: torch.optim.Optimizer, module: nn.Module) -> bool:
    own = {id(p) for p in module.parameters()}
    return any(id(p) in own for group in optimizer.param_groups for p in group["params"])
