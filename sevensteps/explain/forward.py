"""The forward pass of a few samples in float64, every layer's numbers kept by name; and how inputs,
units and classes are called.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.engine.sequence import layers
from sevensteps.errors import ArgumentError
from sevensteps.explain.subject import Subject
from sevensteps.seeds import Isolation


@dataclass(frozen=True)
class Forward:
    """What the layers gave: `outputs` by name, the network's own `output` [B, O]. `dtype` is float64 wherever the network takes it."""

    network: nn.Module
    x: Tensor
    outputs: dict[str, Tensor]
    output: Tensor
    dtype: torch.dtype


def exact(network: nn.Module, dtype: torch.dtype = torch.float64) -> nn.Module:
    """A copy on the processor, in `dtype` and evaluation mode: dropout leaves nothing out, batch
    norm has its running statistics.
    """
    return copy.deepcopy(network).cpu().to(dtype).eval()


def forward(
    network: nn.Module, x: Tensor, dtypes: Sequence[torch.dtype] = (torch.float64, torch.float32)
) -> Forward:
    """One forward pass of a copy of `network`, in the first of `dtypes` that it takes. Raises
    `ArgumentError` where it takes none.
    """
    for dtype in dtypes:
        twin = exact(network, dtype)
        try:
            with torch.no_grad(), Isolation(torch.Generator().manual_seed(0)):
                return _seen(twin, x.cpu().to(dtype))
        except (RuntimeError, ValueError) as failure:
            if dtype is dtypes[-1]:
                raise ArgumentError(
                    f"the network fails in {str(dtype).removeprefix('torch.')}: {failure}"
                ) from failure
    raise AssertionError


def leaves(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """The named layers: those of a chain as the chain rule names them, else every module that holds
    no other.
    """
    chain = layers(network)
    if len(chain) > 1 or not any(network.children()):
        return chain
    return [
        (name, module)
        for name, module in network.named_modules()
        if name and not any(module.children())
    ]


def _seen(network: nn.Module, x: Tensor) -> Forward:
    seen: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                seen[name] = output.detach().clone()  # a later layer may work in place

        return hook

    handles = [module.register_forward_hook(keep(name)) for name, module in leaves(network)]
    try:
        output = network(x)
    finally:
        for handle in handles:
            handle.remove()
    return Forward(network, x, seen, output.detach(), x.dtype)


def place(flat: int, shape: Sequence[int]) -> tuple[int, ...]:
    """Where the number `flat` of a row stands in `shape`.

    >>> place(300, (1, 28, 28))
    (0, 10, 20)
    """
    found = []
    for size in reversed(shape):
        flat, at = divmod(flat, size)
        found.append(at)
    return tuple(reversed(found))


def unit(layer: str, flat: int, shape: Sequence[int]) -> str:
    """`layer1[4]`, or `pool1[2,5,5]` for channel, row, column."""
    return f"{layer}[{','.join(map(str, place(flat, shape)))}]"


def input_name(subject: Subject, flat: int) -> str:
    """What an input is called: a feature by its name, a pixel by row and column (and channel, where
    there are several).
    """
    data = subject.data
    shape = tuple(data.train.x.shape[1:])
    if data.features and len(shape) == 1:
        return data.features[flat]
    if len(shape) == 3:
        channel, row, column = place(flat, shape)
        return f"pixel ({row}, {column})" + (f" of channel {channel}" if shape[0] > 1 else "")
    return f"x[{', '.join(map(str, place(flat, shape)))}]"


def names(subject: Subject) -> list[str]:
    """What each output of the network stands for."""
    task, size = subject.output.task, subject.output.size
    if task.kind == "binary" and size == 1:
        return [task.classes[1]]
    return (
        list(task.classes)
        if len(task.classes) == size
        else ["output"]
        if size == 1
        else [f"output {i}" for i in range(size)]
    )
