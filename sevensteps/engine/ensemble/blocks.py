"""The layers of a stack: the written layers of K networks with the network as the first axis, x [K,
B, …].

A layer that works number by number does not mind the axis. One that works sample by sample gets the
K·B samples in a row. Linear layers are products of three-dimensional tensors. Convolution, batch
norm, bins and dropout run network by network: PyTorch's grouped convolution was measured to take as
long or up to three times as long, and each network has statistics and a generator of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from sevensteps.engine import layers as written
from sevensteps.engine import matmul
from sevensteps.engine.activations import activation_of
from sevensteps.engine.layer import Layer
from sevensteps.engine.pooling import channels_last
from sevensteps.errors import ArgumentError

# one parameter of all networks -> (values, gradients), [K, …]
ParameterLookup = Callable[[Sequence[Tensor]], tuple[Tensor, Tensor] | None]

NETWORK_BY_NETWORK = (written.Conv2d, written.BatchNorm, written.DropoutMask, written.BinsLayer)


class Block(Protocol):
    """One or more layers of all networks. `per_network`: its output is [K, B, …] even where its
    input, [B, …], was shared.
    """

    per_network: ClassVar[bool]
    trained: bool

    def forward(self, x: Tensor, own: bool) -> Tensor:
        """y, for an input [K, B, …] of each network's `own`, or [B, …] shared."""

    def backward(self, g: Tensor, add: bool, needs_input_gradient: bool) -> Tensor:
        """Write or add the parameters' gradients; dL/dx where it `needs_input_gradient`."""


class BatchedLayer:
    """A layer without parameters that is one call for all networks; `in_a_row` where it looks at
    whole samples.
    """

    per_network: ClassVar[bool] = False
    trained = False

    def __init__(self, layer: Layer, in_a_row: bool) -> None:
        if getattr(layer.module, "dim", 1) == 0 or getattr(layer.module, "start_dim", 1) == 0:
            raise ArgumentError(
                f"{layer.module} works across samples, which networks trained together have side "
                "by side; "
                "train them one by one"
            )
        self.layer, self.in_a_row = layer, in_a_row

    def forward(self, x: Tensor, own: bool) -> Tensor:
        if not (own and self.in_a_row):
            return self.layer.forward(x)
        y: Tensor = self.layer.forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return y

    def backward(self, g: Tensor, add: bool, needs_input_gradient: bool) -> Tensor:
        dx: Tensor = (
            self.layer.backward(g.flatten(0, 1)).unflatten(0, g.shape[:2])
            if self.in_a_row
            else self.layer.backward(g)
        )
        return dx


class PerNetworkLayers:
    """Some layers of each network, one network after the other."""

    per_network: ClassVar[bool] = True

    def __init__(self, chains: list[list[Layer]]) -> None:
        self.chains = chains
        self.first = next((i for i, layer in enumerate(chains[0]) if layer.grads), len(chains[0]))
        self.trained = self.first < len(chains[0])

    def forward(self, x: Tensor, own: bool) -> Tensor:
        inputs = x if own else [channels_last(x)] * len(self.chains)
        outputs = []
        for chain, y in zip(self.chains, inputs, strict=True):
            for layer in chain:
                y = layer.forward(y)
            outputs.append(y)
        return torch.stack(outputs)

    def backward(self, g: Tensor, add: bool, needs_input_gradient: bool) -> Tensor:
        passed = []
        for chain, slope in zip(self.chains, g, strict=True):
            last = 0 if needs_input_gradient else self.first
            for index in range(len(chain) - 1, last - 1, -1):
                chain[index].write_gradients(slope, add)
                if needs_input_gradient or index > last:
                    slope = chain[index].backward(slope)
            passed.append(slope)
        return torch.stack(passed) if needs_input_gradient else g


class BatchedLinear:
    """y = x Wᵀ + b of each network, W [K, O, F] and b [K, O]; kept as [K, O, B] in memory, which
    every product here takes as it is.
    """

    per_network: ClassVar[bool] = True

    def __init__(self, members: list[written.Linear], column: ParameterLookup) -> None:
        self.members, self.bias_columns = members, members[0].bias_columns
        self.columns = {
            name: column([getattr(member, name) for member in members])
            for name in ("weight", "bias")
            if getattr(members[0], name) is not None
        }
        self.trained = any(column is not None for column in self.columns.values())

    def _values(self, name: str) -> Tensor:
        column = self.columns[name]
        return (
            torch.stack([getattr(member, name) for member in self.members])
            if column is None
            else column[0]
        )

    def forward(self, x: Tensor, own: bool) -> Tensor:
        x = F.pad(x, (1, 0), value=1.0) if self.bias_columns else x
        # samples, and places if it works over the last axis of more
        self.own, self.shape = (
            own,
            x.shape[int(own) : -1],
        )
        self.x = x = x.flatten(1, -2) if own else x.flatten(0, -2)  # [K, R, F] or [R, F], R rows
        weight = self._values("weight")
        if own:
            y = torch.bmm(weight, x.transpose(1, 2))
        else:  # one wide product
            wide = weight.flatten(0, 1)
            y = matmul.fastest(matmul.LINEAR, wide, x)(wide, x, None, False).view(
                *weight.shape[:2], -1
            )
        if "bias" in self.columns:
            y += self._values("bias")[:, :, None]
        output: Tensor = y.transpose(1, 2).unflatten(1, self.shape)
        return output

    def backward(self, g: Tensor, add: bool, needs_input_gradient: bool) -> Tensor:
        g = g.flatten(1, -2).transpose(1, 2)  # [K, O, R]
        if column := self.columns["weight"]:
            if self.own:
                _write(column[1], torch.bmm(g, self.x), add)  # dL/dW = gᵀ x
            else:
                wide = g.flatten(0, 1)
                _write(
                    column[1],
                    matmul.fastest(matmul.INPUT, wide, self.x)(wide, self.x).view_as(column[1]),
                    add,
                )
        if column := self.columns.get("bias"):
            _write(column[1], g.sum(2), add)  # dL/db = Σ g over the rows
        if not needs_input_gradient:
            return g
        weight = self._values("weight")[:, :, self.bias_columns :]
        # dL/dx = g W
        dx: Tensor = torch.bmm(weight.transpose(1, 2), g).transpose(1, 2).unflatten(1, self.shape)
        return dx


def _write(gradients: Tensor, values: Tensor, add: bool) -> None:
    if add:
        gradients.add_(values)
    else:
        gradients.copy_(values)


def blocks(chains: list[list[Layer]], column: ParameterLookup) -> list[Block]:
    """The layers of K networks, `chains[k][i]`, as blocks: what runs network by network goes on so
    up to the next linear layer.
    """
    stacked: list[Block] = []
    apart: list[list[Layer]] | None = None
    for members in map(list, zip(*chains, strict=True)):
        layer = members[0]
        if isinstance(layer, written.Linear):
            stacked.append(
                BatchedLinear(
                    [member for member in members if isinstance(member, written.Linear)], column
                )
            )
            apart = None
        elif apart is not None:
            for chain, member in zip(apart, members, strict=True):
                chain.append(member)
            stacked[-1] = PerNetworkLayers(apart)
        elif isinstance(layer, NETWORK_BY_NETWORK):
            apart = [[member] for member in members]
            stacked.append(PerNetworkLayers(apart))
        else:
            activation = activation_of(layer.module)
            elementwise = activation is not None and activation.elementwise
            stacked.append(BatchedLayer(layer, in_a_row=not elementwise))
    return stacked
