"""Network inputs, in memory or read from disk as they are used, handled alike."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Int
from torch import Tensor

from sevensteps.data.scaling import Scaling, fit_scaling
from sevensteps.data.streaming.streamed_inputs import StreamedInputs

Inputs = Tensor | StreamedInputs  # of either: shape, ndim, len, to, x[…], narrow, split


def select_samples(x: Inputs, y: Tensor, indices: Int[Tensor, "M"]) -> tuple[Inputs, Tensor]:
    """Some samples, in the order of `indices`; those on disk in the order of the file."""
    if isinstance(x, StreamedInputs):
        return x.select(indices), y[indices.sort().values]
    return x[indices], y[indices]


def spread_samples(x: Inputs, y: Tensor) -> tuple[Tensor, Tensor]:
    """All samples, in memory; of those on disk as many as are looked at together, evenly spread."""
    if isinstance(x, Tensor):
        return x, y
    indices = torch.linspace(0, len(x) - 1, min(x.chunk_size, len(x))).long()
    return x[indices], y[indices.to(y.device)]


def chunk_size(x: Inputs, most: int) -> int:
    """How many samples `x.split(most)` gives at a time."""
    return most if isinstance(x, Tensor) else min(most, x.chunk_size)


def chunks(x: Inputs, y: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """All samples with their rows of `y`: at once, or those on disk some at a time."""
    size = chunk_size(x, len(x))
    return zip(x.split(size), y.split(size), strict=True)


def fit_input_scaling(name: str, x: Inputs, highest: float | None = None) -> Scaling:
    """The scaling called `name`, fitted to raw inputs; see
    `sevensteps.data.scaling.fit_scaling`.
    """
    return fit_scaling(name, x if isinstance(x, Tensor) else x.statistics, highest)


def apply_scaling(scaling: Scaling, x: Inputs) -> Inputs:
    """Raw inputs as the network takes them; those on disk are scaled as they are read."""
    return scaling(x) if isinstance(x, Tensor) else x.with_scaling(scaling)
