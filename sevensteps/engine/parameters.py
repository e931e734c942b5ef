"""Which tensors of a network are weights and which are biases, and what one of its layers gives."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from sevensteps.engine.chain_rule import missing
from sevensteps.engine.modules import Neuron

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)


def _owned(network: nn.Module) -> Iterator[tuple[nn.Module, nn.Parameter]]:
    """Every trainable parameter once, with the module that owns it; those of normalisation layers
    are left out.
    """
    seen: set[int] = set()
    for module in network.modules():
        for parameter in module.parameters(recurse=False):
            if (
                parameter.requires_grad
                and id(parameter) not in seen
                and not isinstance(module, NORMS)
            ):
                seen.add(id(parameter))
                yield module, parameter


def weights(network: nn.Module) -> list[Tensor]:
    """The weight tensors, `[outputs, inputs, …]`: trainable parameters of two axes or more (of a
    `w0` neuron, all but the bias column).
    """
    return [
        parameter[:, 1:] if isinstance(module, Neuron) and module.bias is None else parameter
        for module, parameter in _owned(network)
        if parameter.ndim >= 2
    ]


def biases(network: nn.Module) -> list[Tensor]:
    """The bias vectors: trainable parameters of at most one axis (of a `w0` neuron, the bias
    column).
    """
    found: list[Tensor] = []
    for module, parameter in _owned(network):
        if isinstance(module, Neuron) and module.bias is None:
            found.append(parameter[:, 0])
        elif parameter.ndim < 2:
            found.append(parameter)
    return found


def reset(module: nn.Module) -> None:
    """Let `module` set its own parameters by its `reset_parameters()`; what is frozen stays, and so
    does all of a frozen module.
    """
    own = list(module.parameters(recurse=False))
    if own and not any(p.requires_grad for p in own):
        return
    kept = [(p, p.detach().clone()) for p in own if not p.requires_grad]
    module.reset_parameters()  # type: ignore[operator]
    for parameter, before in kept:
        parameter.copy_(before)


def output_of(layer: nn.Module, network: nn.Module, x: Tensor) -> Tensor:
    """What `layer` gives while `network` runs on `x`."""
    seen: list[Tensor] = []
    handle = layer.register_forward_hook(lambda module, inputs, output: seen.append(output))
    try:
        network(x)
    finally:
        handle.remove()
    return seen[0]


def multiplications(network: nn.Module, shape: tuple[int, ...]) -> int:
    """How many multiplications by weights one sample `[*shape]` takes forward: in a convolution
    each weight is used at every place.

    Of a network that cannot be followed without running it (one from outside), each weight is
    counted once."""
    once = sum(weight.numel() for weight in weights(network))
    if (
        not any(isinstance(module, nn.Conv2d) for module in network.modules())
        or missing(network) is not None
    ):
        return once
    return sum(
        layer.weight.numel() * output[0, 0].numel()
        for layer, output in _followed(network, shape)
        if isinstance(layer, nn.Conv2d | nn.Linear)
    )


def outputs(network: nn.Module, shape: tuple[int, ...]) -> int:
    """How many numbers all layers of a network give for one sample `[*shape]`. Of one that cannot
    be followed without running it: 0.
    """
    if missing(network) is not None:
        return 0
    return sum(
        output.numel() for layer, output in _followed(network, shape) if not list(layer.children())
    )


def _followed(network: nn.Module, shape: tuple[int, ...]) -> list[tuple[nn.Module, Tensor]]:
    """Each layer with what it gives for one sample, by shapes alone."""
    seen: list[tuple[nn.Module, Tensor]] = []
    copied = copy.deepcopy(network).to("meta").eval()
    for layer in copied.modules():
        layer.register_forward_hook(lambda layer, inputs, output: seen.append((layer, output)))
    copied(
        torch.empty(
            1, *shape, device="meta", dtype=next((p.dtype for p in copied.parameters()), None)
        )
    )
    return seen
