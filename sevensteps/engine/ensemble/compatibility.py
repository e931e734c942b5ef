"""Whether networks can be trained together at all: the same layers, shapes, number types, frozen
parts and mode.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from sevensteps.errors import ArgumentError


def check_compatible(
    networks: Sequence[nn.Module], refusal: Callable[[nn.Module], str | None], way: str
) -> None:
    """Refuse no networks, one network twice, networks that share or differ, and those that
    `refusal` says cannot go this `way`.
    """
    if not networks:
        raise ArgumentError("a stack of no networks trains nothing; give at least one")
    if len({id(network) for network in networks}) < len(networks):
        raise ArgumentError(
            "one network stands twice in the stack; give copies of it: copy.deepcopy(network)"
        )
    owners: dict[int, int] = {}
    first: list[str] = []
    for index, network in enumerate(networks):
        if lacking := refusal(network):
            raise ArgumentError(
                f"networks are stacked by {way}, but in network {index} {lacking}; train them one "
                "by one"
            )
        for name, parameter in network.named_parameters():
            if (owner := owners.setdefault(id(parameter), index)) != index:
                raise ArgumentError(
                    f"networks {owner} and {index} share {name}, which cannot be in two rows; "
                    "give copies"
                )
        own = structure(network)
        first = first or own
        if own != first:
            here, there = next(
                (a, b)
                for a, b in zip([*own, "nothing"], [*first, "nothing"], strict=False)
                if a != b
            )
            raise ArgumentError(
                f"network {index} has {here} where network 0 has {there}; only networks of the "
                "same layers and shapes "
                "are trained together"
            )


def structure(network: nn.Module) -> list[str]:
    """What has to be the same: layers with their settings, shapes, number types, what is tied, what
    is trained, and the mode.
    """
    entries = [
        f"{name} {_layer(module)}, {'training' if module.training else 'evaluating'}".lstrip()
        for name, module in network.named_modules(remove_duplicate=False)
    ]
    places: dict[int, str] = {}
    for name, tensor in (
        *network.named_parameters(remove_duplicate=False),
        *network.named_buffers(remove_duplicate=False),
    ):
        place = places.setdefault(id(tensor), name)
        frozen = isinstance(tensor, nn.Parameter) and not tensor.requires_grad
        kind = f"{list(tensor.shape)} of {tensor.dtype} on {tensor.device}"
        kind += ", frozen" if frozen else ""
        entries.append(f"{name} {kind if place == name else f'tied to {place}'}")
    return entries


def _layer(module: nn.Module) -> str:
    """A layer with its settings, on one line; of one that holds others, its own settings alone."""
    inside = any(module.children())
    return " ".join(
        (f"{type(module).__name__}({module.extra_repr()})" if inside else str(module)).split()
    )


# What is compared elsewhere: the parts of any module, and the lists in which a recurrent layer has
# its parameters once more.
COMPARED = frozenset(vars(nn.Module())) | {"_flat_weights", "_flat_weight_refs"}


def first_difference(network: nn.Module, other: nn.Module) -> str | None:
    """The first setting, `layer.attribute`, that two networks of one structure do not share; None
    where they share all.

    A module from outside may keep settings that it does not print. Generators may differ: they are
    settings of chance.
    """
    for (name, module), counterpart in zip(network.named_modules(), other.modules(), strict=True):
        here, there = (
            {key: value for key, value in vars(m).items() if key not in COMPARED}
            for m in (module, counterpart)
        )
        for key in here.keys() | there.keys():
            if key not in here or key not in there or not _equal(here[key], there[key]):
                return f"{name}.{key}".lstrip(".")
    return None


def _equal(a: object, b: object) -> bool:
    if a is b or (isinstance(a, torch.Generator) and isinstance(b, torch.Generator)):
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.shape == b.shape and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    # a lambda made anew for each network
    if isinstance(a, types.FunctionType) and isinstance(b, types.FunctionType):
        inside = [[cell.cell_contents for cell in f.__closure__ or ()] for f in (a, b)]
        return (
            a.__code__ is b.__code__ and _equal(a.__defaults__, b.__defaults__) and _equal(*inside)
        )
    try:
        return bool(a == b)
    except (RuntimeError, TypeError, ValueError):  # arrays have no one answer
        return False
