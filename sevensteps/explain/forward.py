"""The forward pass of a few samples in float64, layer by layer; names of inputs, units, outputs."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sevensteps.engine.layer_calls import capture_outputs
from sevensteps.engine.sequence import named_layers
from sevensteps.errors import ArgumentError
from sevensteps.explain.subject import Subject
from sevensteps.seeds import Isolation


@dataclass(frozen=True)
class ForwardPass:
    """The outputs of all layers by name, and the network's own `output` [B, O].

    `dtype` is float64 if the network takes it, otherwise float32.
    """

    network: nn.Module
    x: Tensor
    outputs: dict[str, Tensor]
    output: Tensor
    dtype: torch.dtype


def evaluation_copy(network: nn.Module, dtype: torch.dtype = torch.float64) -> nn.Module:
    """A copy on the CPU, in `dtype` and evaluation mode.

    There dropout leaves nothing out, and batch norm has its running statistics.
    """
    return copy.deepcopy(network).cpu().to(dtype).eval()


def forward_pass(
    network: nn.Module, x: Tensor, dtypes: Sequence[torch.dtype] = (torch.float64, torch.float32)
) -> ForwardPass:
    """One forward pass of a copy of `network` for inputs `x` [B, …], in the first dtype it takes.

    Raises `ArgumentError` if it takes none of `dtypes`.
    """
    for dtype in dtypes:
        copied = evaluation_copy(network, dtype)
        try:
            with torch.no_grad(), Isolation(torch.Generator().manual_seed(0)):
                return _run(copied, x.cpu().to(dtype))
        except (RuntimeError, ValueError) as failure:
            if dtype is dtypes[-1]:
                raise ArgumentError(
                    f"the network fails in {str(dtype).removeprefix('torch.')}: {failure}"
                ) from failure
    raise AssertionError


def named_leaves(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """The layers with their names.

    If they form a chain, as the chain rule names them; otherwise every module without submodules.
    """
    chain = named_layers(network)
    if len(chain) > 1 or not any(network.children()):
        return chain
    return [
        (name, module)
        for name, module in network.named_modules()
        if name and not any(module.children())
    ]


def _run(network: nn.Module, x: Tensor) -> ForwardPass:
    output, calls = capture_outputs(network, x, named_leaves(network), copy=True)
    outputs = {call.name: call.output for call in calls if isinstance(call.output, Tensor)}
    return ForwardPass(network, x, outputs, output.detach(), x.dtype)


def unravel_index(flat: int, shape: Sequence[int]) -> tuple[int, ...]:
    """The index in `shape` of the number that is at `flat` when all are in one row.

    >>> unravel_index(300, (1, 28, 28))
    (0, 10, 20)
    """
    index = []
    for size in reversed(shape):
        flat, at = divmod(flat, size)
        index.append(at)
    return tuple(reversed(index))


def unit_name(layer: str, flat: int, shape: Sequence[int]) -> str:
    """The name of a unit: `layer1[4]`, or `pool1[2,5,5]` for channel, row, column."""
    return f"{layer}[{','.join(map(str, unravel_index(flat, shape)))}]"


def input_name(subject: Subject, flat: int) -> str:
    """The name of an input: a feature's own, or row, column and channel of a pixel."""
    data = subject.data
    shape = tuple(data.train.x.shape[1:])
    if data.features and len(shape) == 1:
        return data.features[flat]
    if len(shape) == 3:
        channel, row, column = unravel_index(flat, shape)
        return f"pixel ({row}, {column})" + (f" of channel {channel}" if shape[0] > 1 else "")
    return f"x[{', '.join(map(str, unravel_index(flat, shape)))}]"


def output_names(subject: Subject) -> list[str]:
    """The name of each output of the network: a class, a label, or `output 2`."""
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
