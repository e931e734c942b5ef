"""Which tensors of a network are weights and which are biases, and what one of its layers gives."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from sevensteps.engine.chain_rule import missing
from sevensteps.engine.layer_calls import LayerCall, capture_outputs
from sevensteps.engine.modules import Neuron

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)


def _trainable(network: nn.Module) -> Iterator[tuple[nn.Module, nn.Parameter]]:
    """Every trainable parameter once, with the module that owns it; those of normalisation layers
    are left out.
    """
    listed: set[int] = set()
    for module in network.modules():
        for parameter in module.parameters(recurse=False):
            if (
                parameter.requires_grad
                and id(parameter) not in listed
                and not isinstance(module, NORMS)
            ):
                listed.add(id(parameter))
                yield module, parameter


def weights(network: nn.Module) -> list[Tensor]:
    """The weight tensors, `[outputs, inputs, …]`: trainable parameters of two axes or more (of a
    `w0` neuron, all but the bias column).
    """
    return [
        parameter[:, 1:] if isinstance(module, Neuron) and module.bias is None else parameter
        for module, parameter in _trainable(network)
        if parameter.ndim >= 2
    ]


def biases(network: nn.Module) -> list[Tensor]:
    """The bias vectors: trainable parameters of at most one axis (of a `w0` neuron, the bias
    column).
    """
    vectors: list[Tensor] = []
    for module, parameter in _trainable(network):
        if isinstance(module, Neuron) and module.bias is None:
            vectors.append(parameter[:, 0])
        elif parameter.ndim < 2:
            vectors.append(parameter)
    return vectors


def reset(module: nn.Module) -> None:
    """Let `module` set its own parameters by its `reset_parameters()`; what is frozen stays, and so
    does all of a frozen module.
    """
    own = list(module.parameters(recurse=False))
    if own and not any(p.requires_grad for p in own):
        return
    frozen = [(p, p.detach().clone()) for p in own if not p.requires_grad]
    module.reset_parameters()  # type: ignore[operator]
    for parameter, before in frozen:
        parameter.copy_(before)


def output_of(layer: nn.Module, network: nn.Module, x: Tensor) -> Tensor:
    """What `layer` gives while `network` runs on `x`."""
    _, calls = capture_outputs(network, x, [("", layer)])
    output: Tensor = calls[0].output
    return output


def multiplications(network: nn.Module, shape: tuple[int, ...]) -> int:
    """How many multiplications by weights one sample `[*shape]` takes forward: in a convolution
    each weight is used at every place.

    Of a network that cannot be followed without running it (one from outside), each weight is
    counted once.
    """
    once = sum(weight.numel() for weight in weights(network))
    if (
        not any(isinstance(module, nn.Conv2d) for module in network.modules())
        or missing(network) is not None
    ):
        return once
    return sum(
        call.module.weight.numel() * call.output[0, 0].numel()
        for call in _calls_of_one_sample(network, shape)
        if isinstance(call.module, nn.Conv2d | nn.Linear)
    )


def activation_count(network: nn.Module, shape: tuple[int, ...]) -> int:
    """How many numbers all layers of a network give for one sample `[*shape]`. Of one that cannot
    be followed without running it: 0.
    """
    if missing(network) is not None:
        return 0
    return sum(call.output.numel() for call in _calls_of_one_sample(network, shape))


def _calls_of_one_sample(network: nn.Module, shape: tuple[int, ...]) -> list[LayerCall]:
    """Every call of a layer for one sample of zeros `[*shape]`.

    The network answers as it does when it is evaluated, and nothing of it changes. PyTorch's way to
    the shapes alone, the device "meta", imports its compiler first, which takes a second.
    """
    parameter = next(network.parameters(), torch.empty(0))
    sample = torch.zeros(1, *shape, device=parameter.device, dtype=parameter.dtype)
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.no_grad():
            return capture_outputs(network, sample)[1]
    finally:
        for module, training in modes:
            module.training = training
