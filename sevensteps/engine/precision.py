"""Half the bits where it is safe: products in bfloat16, which keeps float32's range and 8 of its 24
digits; sums in float32.

The parameters, the optimizer's memory, the gradients, the loss and everything that takes statistics
stay float32. Only convolutions and linear layers, and what lies between two of them, see bfloat16,
over a copy of the parameters made each step. Source: Micikevicius et al. 2018, Mixed Precision
Training; Kalamkar et al. 2019, A Study of BFLOAT16 for Deep Learning Training.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from sevensteps.engine.layer import Layer


class Cast(Layer):
    """From one number type to another; nothing else changes, so dy/dx = 1."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.grads = {}
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        self.input_dtype = x.dtype
        return x.to(self.dtype)  # y = x, rounded

    def backward(self, g: Tensor) -> Tensor:
        return g.to(self.input_dtype)


def with_casts(
    chain: Sequence[tuple[str, Layer]], low: torch.dtype, full: torch.dtype
) -> Iterator[tuple[str, Layer]]:
    """The layers with a `Cast` (of no name) wherever the type has to change, and at the end: the
    loss takes `full`.
    """
    now = full
    for name, layer in chain:
        wanted = full if layer.exact else low if layer.multiplies else now
        if wanted != now:
            yield "", Cast(wanted)
            now = wanted
        yield name, layer
    if now != full:
        yield "", Cast(full)
