"""A layer's units: where their weights are, what they give for each sample, and the network with
one of them silenced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.arguments import whole
from sevensteps.data.inputs import Inputs
from sevensteps.engine.activations import UNKNOWN, Activation, activation_of
from sevensteps.engine.layer_calls import capture_outputs
from sevensteps.engine.modules import Dropout, Neuron, Powers
from sevensteps.engine.sequence import named_layers
from sevensteps.errors import ArgumentError

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, Neuron)
NORMS = (nn.modules.batchnorm._BatchNorm,)
SILENT = (nn.Dropout, Dropout, nn.Identity)
CHUNK = 2048  # samples at once


@dataclass(frozen=True)
class Place:
    """Where a layer is: the modules that its sum goes through (`norm`, then `activation`, named as PyTorch has them) and what comes next.

    `chain` and `at` are the network's layers and the index of this one; -1 where the network is no
    plain chain: then nothing is known of what stands behind the layer, and its sums are all that is
    seen. `raw` says that it reads the network's inputs themselves."""

    name: str
    module: Any
    chain: tuple[tuple[str, nn.Module], ...]
    at: int
    norm: str | None
    activation: str | None
    # the index of the last module that belongs to the units: the activation, or what stands for it
    end: int
    following: str | None
    raw: bool

    @property
    def kind(self) -> str | None:
        """The usual name of the activation."""
        return None if self.activation is None else self.function.name

    @property
    def function(self) -> Activation:
        """What is known of the activation; a row of no name where it has none."""
        module = dict(self.chain).get(self.activation or "")
        return (module and activation_of(module)) or UNKNOWN

    @property
    def units(self) -> int:
        return _units(self.module)

    @property
    def conv(self) -> bool:
        return not isinstance(self.module, nn.Linear | Neuron)


def place(network: nn.Module, name: str, unit: int) -> Place:
    """The layer `name`, checked for the unit. Raises `ArgumentError` with the names there are, or
    the range of the units.
    """
    named = {key: module for key, module in network.named_modules() if isinstance(module, WEIGHTED)}
    if not named:
        kinds = ", ".join(
            dict.fromkeys(
                type(module).__name__ for module in network.modules() if not any(module.children())
            )
        )
        raise ArgumentError(
            f"no layer here has units with weights of their own, only {kinds}; the questions "
            "sample and shapes can be "
            "answered"
        )
    if name not in named:
        known = ", ".join(f"{key} (0 to {_units(module) - 1})" for key, module in named.items())
        raise ArgumentError(f"there is no layer {name!r} with units; there are {known}")
    module = named[name]
    if whole("unit", unit) >= _units(module):
        raise ArgumentError(
            f"{name} has no unit {unit}; its {_units(module)} are counted from 0 to "
            f"{_units(module) - 1}"
        )
    chain = tuple(named_layers(network))
    at = next((index for index, (key, _) in enumerate(chain) if key == name), -1)
    if at < 0:
        return Place(name, module, chain, -1, None, None, -1, None, False)
    norm = activation = None
    end = at
    for index in range(at + 1, len(chain)):
        key, after = chain[index]
        if isinstance(after, NORMS) and norm is None:
            norm, end = key, index
        elif isinstance(after, SILENT):
            continue
        else:
            if (function := activation_of(after)) is not None and function.elementwise:
                activation, end = key, index
            break
    following = next((key for key, after in chain[end + 1 :] if isinstance(after, WEIGHTED)), None)
    raw = all(isinstance(before, nn.Flatten | nn.Identity | Powers) for _, before in chain[:at])
    return Place(name, module, chain, at, norm, activation, end, following, raw)


def _units(module: Any) -> int:
    return int(1 if isinstance(module, Neuron) else module.weight.shape[0])


def named_inputs(
    features: Sequence[str], count: int, before: Sequence[nn.Module]
) -> tuple[str, ...]:
    """What the inputs of a layer are called behind the modules that stand `before` it: t², t."""
    found = list(features) if len(features) == count else [f"x{index}" for index in range(count)]
    for module in before:
        if isinstance(module, Powers):
            found = [
                f"{name}{_power(degree)}"
                for name in found
                for degree in range(module.degree, 0, -1)
            ]
    return tuple(found)


def _power(degree: int) -> str:
    return "" if degree == 1 else "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in str(degree))


@dataclass
class Answers:
    """Of each sample [N, U]: the largest `sums` of each unit over its positions, its mean `values` after the activation, and the share of
    positions that are `on` (sum above 0). `positions` [N] is where the asked unit's sum is largest. `silent` [I]: inputs of the layer that
    were 0 for every sample.
    """

    sums: Tensor
    values: Tensor
    on: Tensor
    positions: Tensor
    silent: Tensor


@torch.no_grad()
def answers(network: nn.Module, where: Place, x: Inputs, unit: int) -> Answers:
    """What the units of a layer give for all of `x`, with the network in evaluation mode."""
    network.eval()
    parts: list[tuple[Tensor, ...]] = []
    silent: Tensor | None = None
    for piece in x.split(CHUNK):
        given, sums, values = _through(network, where, piece)
        flat, after = (_rows(t, where) for t in (sums, values))  # [B, positions, U]
        zero = (_rows(given, where) == 0).flatten(0, 1).all(0)
        silent = zero if silent is None else silent & zero
        largest, position = flat.max(1)
        parts.append((largest, after.mean(1), (flat > 0).to(flat.dtype).mean(1), position[:, unit]))
    joined = [torch.cat(part).cpu() for part in zip(*parts, strict=True)]
    assert silent is not None
    return Answers(joined[0], joined[1], joined[2], joined[3], silent.cpu())


def _through(network: nn.Module, where: Place, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What the layer gets, its sums (after batch norm), and what comes out behind the
    activation.
    """
    if where.at < 0:
        module = dict(network.named_modules())[where.name]
        _, calls = capture_outputs(network, x, [(where.name, module)])
        if not calls:
            raise ArgumentError(
                f"{where.name} is not called when the network predicts, so there is nothing to see"
            )
        return calls[0].input, calls[0].output, calls[0].output
    chain = [module for _, module in named_layers(network)]
    for module in chain[: where.at]:
        x = module(x)
    given, sums = x, chain[where.at](x)
    stop = where.end if where.activation is None else where.end - 1
    for module in chain[where.at + 1 : stop + 1]:
        sums = module(sums)
    return given, sums, chain[where.end](sums) if where.activation is not None else sums


def _rows(t: Tensor, where: Place) -> Tensor:
    """[B, positions, U], whatever the axes."""
    t = t.movedim(1, -1) if where.conv else t
    return t.reshape(len(t), -1, t.shape[-1])


@contextmanager
def silenced(network: nn.Module, where: Place, unit: int) -> Iterator[Any]:
    """A function of inputs that gives the network's outputs with this unit at 0, whatever it
    sees.
    """
    if where.at < 0:

        def zero(module: nn.Module, given: Any, out: Tensor) -> Tensor:
            return _without(out, where, unit)

        handle = dict(network.named_modules())[where.name].register_forward_hook(zero)
        try:
            yield network
        finally:
            handle.remove()
        return
    chain = [module for _, module in named_layers(network)]

    def outputs(x: Tensor) -> Tensor:
        x = _through(network, where, x)[2]
        x = _without(x, where, unit)
        for module in chain[where.end + 1 :]:
            x = module(x)
        return x

    yield outputs


def _without(t: Tensor, where: Place, unit: int) -> Tensor:
    t = t.clone()
    t.select(1 if where.conv else -1, unit).zero_()
    return t


def outgoing(where: Place, unit: int) -> Tensor | None:
    """The weights by which the next layer takes this unit in: [units of it], or [units, positions];
    None where that is not known.
    """
    if where.following is None:
        return None
    module: Any = dict(where.chain)[where.following]
    count = where.units
    weight = (
        module.weight.detach()[:, 1:]
        if isinstance(module, Neuron) and module.bias is None
        else module.weight.detach()
    )
    if weight.shape[1] == count:
        return weight[:, unit].flatten(1) if weight.ndim > 2 else weight[:, unit]
    if (
        weight.ndim == 2 and weight.shape[1] % count == 0
    ):  # positions of a channel lie together once they are flattened
        return weight.view(len(weight), count, -1)[:, unit]
    return None
