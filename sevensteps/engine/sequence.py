"""A network as a chain of layers, where it is one; and what its first layer takes in."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sevensteps.engine.modules import Neuron
from sevensteps.errors import ShapeError


def named_layers(network: nn.Module, name: str = "") -> list[tuple[str, nn.Module]]:
    """The named layers in the order in which they are applied: plain `nn.Sequential`s are opened,
    all else is one layer.
    """
    if type(network) is not nn.Sequential or has_hooks(network):
        return [(name or type(network).__name__, network)]
    prefix = f"{name}." if name else ""
    # not named_children(), which leaves out a layer's second use
    return [
        layer
        for key, child in zip(network._modules, network, strict=True)
        for layer in named_layers(child, prefix + key)
    ]


def has_hooks(module: nn.Module) -> bool:
    """Whether calling `module` does more, or other things, than its class's `forward`: a hook, or a
    `forward` of its own.
    """
    hooks = (
        module._forward_hooks,
        module._forward_pre_hooks,
        module._backward_hooks,
        module._backward_pre_hooks,
    )
    return any(hooks) or "forward" in vars(module)


class InputCheck:
    """What a network takes in, read off its first layer: inputs are checked once, here, with a
    message that says the fix.
    """

    def __init__(self, network: nn.Module) -> None:
        chain = named_layers(network)
        flatten = (
            bool(chain)
            and type(chain[0][1]) is nn.Flatten
            and chain[0][1].start_dim == 1
            and chain[0][1].end_dim == -1
        )
        self.flattened = flatten and len(chain) > 1
        self.checked: tuple[object, ...] = (None, None, None)
        self.name, self.layer = chain[1 if self.flattened else 0] if chain else ("", network)

    def check(self, x: Tensor, parameters: Tensor) -> None:
        """Raise `ShapeError` unless the network can take `x`."""
        shape, dtype, device = self.checked
        # the last one was all right
        if x.shape == shape and x.dtype is dtype and x.device == device:
            return
        self._check(x, parameters)
        self.checked = x.shape, x.dtype, x.device

    def _check(self, x: Tensor, parameters: Tensor) -> None:
        if x.ndim < 2 or len(x) == 0:
            raise ShapeError(
                f"inputs have shape {list(x.shape)}; give at least one sample, as [samples, "
                "features]"
            )
        if not x.is_floating_point() or (len(parameters) and x.dtype != parameters.dtype):
            wanted = parameters.dtype if len(parameters) else torch.get_default_dtype()
            raise ShapeError(
                f"inputs {list(x.shape)} are {x.dtype}, the network computes in {wanted}; use "
                f"x.to({wanted})"
            )
        if len(parameters) and x.device != parameters.device:
            raise ShapeError(
                f"inputs {list(x.shape)} are on {x.device}, the network on {parameters.device}; "
                f"use x.to('{parameters.device}')"
            )
        self._check_features(x)

    def _check_features(self, x: Tensor) -> None:
        layer, kind = self.layer, type(self.layer).__name__
        if (
            isinstance(layer, nn.Conv2d)
            and not self.flattened
            and (x.ndim != 4 or x.shape[1] != layer.in_channels)
        ):
            raise ShapeError(
                f"inputs {list(x.shape)} do not fit {self.name}, a Conv2d over "
                f"{layer.in_channels} channels; "
                f"give [samples, {layer.in_channels}, height, width]"
            )
        if not isinstance(layer, nn.Linear | Neuron):
            return
        wanted, total = layer.in_features, math.prod(x.shape[1:])
        if (total if self.flattened else x.shape[-1]) == wanted:
            return
        unflattened = not self.flattened and total == wanted
        fix = (
            "begin the network with nn.Flatten()"
            if unflattened
            else f"give {wanted} features a sample"
        )
        raise ShapeError(
            f"inputs {list(x.shape)} do not fit {self.name}, a {kind} over {wanted} features; {fix}"
        )
