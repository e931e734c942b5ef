"""All parameters of a network in one vector, all gradients in another; the network's own tensors
become views of them.

Step 5 is then one operation on one vector, whatever the network is made of.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from sevensteps.errors import ArgumentError

Slices = dict[str, tuple[slice, torch.Size]]
Vectors = tuple[Tensor, Tensor]  # parameters [P] and gradients [P]
# numbers behind the gradients in memory: what processes that share a step tell each other along
# with them
SPARE = 4


@torch.no_grad()
def flatten(network: nn.Module, into: Vectors | None = None) -> tuple[Tensor, Tensor, Slices]:
    """`(parameters [P], gradients [P], slices)`, with every trainable parameter a view of the one
    and its `.grad` of the other.

    `slices` names, for each parameter, its place in the vectors and its shape, in the network's own
    order. A parameter that is used in several places is there once, under its first name, and stays
    shared. Frozen parameters are left alone. Values are kept, gradients start at 0. Flattening
    again moves everything to new vectors, or `into` two that are there already; a network belongs
    to the last ones. Raises `ArgumentError` for lazy, complex or mixed parameters, and for memory
    shared without sharing the parameter.
    """
    named = trainable_parameters(network)
    first = next(iter(named.values()), torch.zeros(0))
    size = sum(p.numel() for p in named.values())
    parameters, gradients = into or (first.new_empty(size), first.new_empty(size + SPARE)[:size])
    gradients.zero_()
    slices: Slices = {}
    start = 0
    for name, parameter in named.items():
        place, shape = slice(start, start + parameter.numel()), parameter.shape
        start = place.stop
        parameters[place] = parameter.flatten()
        parameter.data = parameters[place].view(shape)
        parameter.grad = gradients[place].view(shape)
        slices[name] = (place, shape)
    return parameters, gradients, slices


def trainable_parameters(network: nn.Module) -> dict[str, nn.Parameter]:
    """The trainable parameters by name, which fit into one vector. Raises `ArgumentError` where
    they do not.
    """
    named = {name: p for name, p in network.named_parameters() if p.requires_grad}
    for name, parameter in named.items():
        if isinstance(parameter, UninitializedParameter):
            raise ArgumentError(
                f"{name} has no shape yet (a lazy layer); run one batch through the network first"
            )
        if not parameter.is_floating_point():
            raise ArgumentError(
                f"{name} holds {parameter.dtype}; only real numbers are trained: use float32 or "
                "float64"
            )
    kinds: dict[tuple[torch.dtype, torch.device], str] = {}  # and the first parameter of each
    for name, parameter in named.items():
        kinds.setdefault((parameter.dtype, parameter.device), name)
    if len(kinds) > 1:
        listed = ", ".join(
            f"{name} is {dtype} on {device}" for (dtype, device), name in kinds.items()
        )
        raise ArgumentError(
            f"parameters of several kinds cannot be one vector ({listed}); use network.to(dtype) "
            "or "
            ".to(device)"
        )
    # Two parameters over the same memory would silently become two separate ones.
    spans = sorted(
        (p.data_ptr(), p.data_ptr() + p.nbytes, name) for name, p in named.items() if p.numel()
    )
    for (_, end, name), (begin, _, other) in itertools.pairwise(spans):
        if begin < end:
            raise ArgumentError(
                f"{name} and {other} are two parameters over the same memory; to tie them, assign "
                "one and the "
                "same nn.Parameter to both places"
            )
    return named
