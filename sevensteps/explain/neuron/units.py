"""The units of a layer: their weights, their activations, and the network without one of them."""

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
from sevensteps.engine.modules import Bins, Dropout, Neuron, Powers
from sevensteps.engine.sequence import named_layers
from sevensteps.errors import ArgumentError

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, Neuron)
NORMS = (nn.modules.batchnorm._BatchNorm,)
PASS_THROUGH = (nn.Dropout, Dropout, nn.Identity)
CHUNK_SIZE = 2048  # samples at once


@dataclass(frozen=True)
class LocatedLayer:
    """A layer with units, and its place in the network.

    `norm` and `activation` are the modules that its sums go through next, by name; `following` is
    the next layer with weights. `chain` and `index` are the network's layers and the index of this
    one, -1 where the network is no plain chain: then nothing is known of what follows the layer,
    and only its sums can be looked at. `reads_inputs` says that it reads the network's inputs
    themselves.
    """

    name: str
    module: Any
    chain: tuple[tuple[str, nn.Module], ...]
    index: int
    norm: str | None
    activation: str | None
    # the index of the last module that belongs to the units: the activation, or what stands for it
    end: int
    following: str | None
    reads_inputs: bool

    @property
    def kind(self) -> str | None:
        """The usual name of the activation."""
        return None if self.activation is None else self.function.name

    @property
    def function(self) -> Activation:
        """What is known of the activation function; a row without a name where it has none."""
        module = dict(self.chain).get(self.activation or "")
        return (module and activation_of(module)) or UNKNOWN

    @property
    def units(self) -> int:
        """How many units it has."""
        return _unit_count(self.module)

    @property
    def conv(self) -> bool:
        """Whether its units are the channels of a convolution."""
        return not isinstance(self.module, nn.Linear | Neuron)


def locate_layer(network: nn.Module, name: str, unit: int) -> LocatedLayer:
    """The layer `name`, which must have the unit `unit`.

    Raises `ArgumentError`, with the names of the layers that have units, or the range of the units.
    """
    named = {key: module for key, module in network.named_modules() if isinstance(module, WEIGHTED)}
    if not named:
        kinds = ", ".join(
            dict.fromkeys(
                type(module).__name__ for module in network.modules() if not any(module.children())
            )
        )
        raise ArgumentError(
            f"no layer of this network has units with weights of their own, only {kinds}; ask for "
            "sample or shapes"
        )
    if name not in named:
        known = ", ".join(
            f"{key} (units 0 to {_unit_count(module) - 1})" for key, module in named.items()
        )
        raise ArgumentError(f"there is no layer {name!r} with units; there are {known}")
    module = named[name]
    if whole("unit", unit) >= _unit_count(module):
        raise ArgumentError(
            f"{name} has no unit {unit}; its {_unit_count(module)} units are counted from 0 to "
            f"{_unit_count(module) - 1}"
        )
    chain = tuple(named_layers(network))
    index = next((i for i, (key, _) in enumerate(chain) if key == name), -1)
    if index < 0:
        return LocatedLayer(name, module, chain, -1, None, None, -1, None, False)
    norm = activation = None
    end = index
    for i in range(index + 1, len(chain)):
        key, after = chain[i]
        if isinstance(after, NORMS) and norm is None:
            norm, end = key, i
        elif isinstance(after, PASS_THROUGH):
            continue
        else:
            if (function := activation_of(after)) is not None and function.elementwise:
                activation, end = key, i
            break
    following = next((key for key, after in chain[end + 1 :] if isinstance(after, WEIGHTED)), None)
    reads_inputs = all(
        isinstance(before, nn.Flatten | nn.Identity | Powers | Bins) for _, before in chain[:index]
    )
    return LocatedLayer(name, module, chain, index, norm, activation, end, following, reads_inputs)


def _unit_count(module: Any) -> int:
    return int(1 if isinstance(module, Neuron) else module.weight.shape[0])


def input_names(
    features: Sequence[str], count: int, before: Sequence[nn.Module]
) -> tuple[str, ...]:
    """What the `count` inputs of a layer are called behind the modules that stand `before` it, for
    example t², t.
    """
    bins = next((module for module in before if isinstance(module, Bins)), None)
    count = count if bins is None else bins.features
    names = list(features) if len(features) == count else [f"x{index}" for index in range(count)]
    for module in before:
        if isinstance(module, Bins):
            names += [
                f"{names[place]}, bin {number}"
                for place in module.places.tolist()
                for number in range(1, module.bins + 1)
            ]
        if isinstance(module, Powers):
            names = [
                f"{name}{_power(degree)}"
                for name in names
                for degree in range(module.degree, 0, -1)
            ]
    return tuple(names)


def _power(degree: int) -> str:
    return "" if degree == 1 else "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in str(degree))


@dataclass
class UnitActivations:
    """What the units of a layer give for each sample, [N, U].

    `sums` are the largest of each unit over its positions, `values` its mean after the activation,
    and `on` the share of positions whose sum is above 0. `positions` [N] is where the sum of one
    unit is largest. `dead_inputs` [I] are the inputs of the layer that are 0 for every sample.
    """

    sums: Tensor
    values: Tensor
    on: Tensor
    positions: Tensor
    dead_inputs: Tensor


@torch.no_grad()
def unit_activations(
    network: nn.Module, layer: LocatedLayer, x: Inputs, unit: int
) -> UnitActivations:
    """What the units of a layer give for all of `x`, with the network in evaluation mode; the
    positions are those of `unit`.
    """
    network.eval()
    parts: list[tuple[Tensor, ...]] = []
    dead_inputs: Tensor | None = None
    for piece in x.split(CHUNK_SIZE):
        inputs, sums, values = _run_layer(network, layer, piece)
        # [B, positions, U]
        flat_sums, flat_values = (_unit_columns(t, layer) for t in (sums, values))
        zero = (_unit_columns(inputs, layer) == 0).flatten(0, 1).all(0)
        dead_inputs = zero if dead_inputs is None else dead_inputs & zero
        largest, positions = flat_sums.max(1)
        on = (flat_sums > 0).to(flat_sums.dtype).mean(1)
        parts.append((largest, flat_values.mean(1), on, positions[:, unit]))
    sums, values, on, positions = (torch.cat(part).cpu() for part in zip(*parts, strict=True))
    assert dead_inputs is not None
    return UnitActivations(sums, values, on, positions, dead_inputs.cpu())


def _run_layer(network: nn.Module, layer: LocatedLayer, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What goes into the layer, its sums (after batch norm), and what comes out after the
    activation.
    """
    if layer.index < 0:
        module = dict(network.named_modules())[layer.name]
        _, calls = capture_outputs(network, x, [(layer.name, module)])
        if not calls:
            raise ArgumentError(
                f"{layer.name} is not called when the network predicts, so there is nothing to see"
            )
        return calls[0].input, calls[0].output, calls[0].output
    chain = [module for _, module in named_layers(network)]
    for module in chain[: layer.index]:
        x = module(x)
    inputs, sums = x, chain[layer.index](x)
    stop = layer.end if layer.activation is None else layer.end - 1
    for module in chain[layer.index + 1 : stop + 1]:
        sums = module(sums)
    return inputs, sums, chain[layer.end](sums) if layer.activation is not None else sums


def _unit_columns(t: Tensor, layer: LocatedLayer) -> Tensor:
    """[B, positions, U], whatever the axes."""
    t = t.movedim(1, -1) if layer.conv else t
    return t.reshape(len(t), -1, t.shape[-1])


@contextmanager
def without_unit(network: nn.Module, layer: LocatedLayer, unit: int) -> Iterator[Any]:
    """A function of inputs that gives the network's outputs while this unit is always 0."""
    if layer.index < 0:

        def zero(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
            return _with_zero(output, layer, unit)

        handle = dict(network.named_modules())[layer.name].register_forward_hook(zero)
        try:
            yield network
        finally:
            handle.remove()
        return
    chain = [module for _, module in named_layers(network)]

    def outputs(x: Tensor) -> Tensor:
        x = _with_zero(_run_layer(network, layer, x)[2], layer, unit)
        for module in chain[layer.end + 1 :]:
            x = module(x)
        return x

    yield outputs


def _with_zero(t: Tensor, layer: LocatedLayer, unit: int) -> Tensor:
    t = t.clone()
    t.select(1 if layer.conv else -1, unit).zero_()
    return t


def outgoing_weights(layer: LocatedLayer, unit: int) -> Tensor | None:
    """The weights by which the next layer takes this unit in: [units of it], or [units, positions];
    None where that is not known.
    """
    if layer.following is None:
        return None
    module: Any = dict(layer.chain)[layer.following]
    count = layer.units
    weight = (
        module.weight.detach()[:, 1:]
        if isinstance(module, Neuron) and module.bias is None
        else module.weight.detach()
    )
    if weight.shape[1] == count:
        return weight[:, unit].flatten(1) if weight.ndim > 2 else weight[:, unit]
    # positions of a channel lie together once they are flattened
    if weight.ndim == 2 and weight.shape[1] % count == 0:
        return weight.view(len(weight), count, -1)[:, unit]
    return None
