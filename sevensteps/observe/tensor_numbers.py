"""Numbers of many tensors at once: their norms, some of their entries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

LARGE = 1 << 20  # entries of a tensor; the norms of larger ones are estimated from 1 of 17
SAMPLED = 256  # entries of a tensor that are copied


def norms_of(tensors: Sequence[Tensor]) -> list[float]:
    """√Σ x² of each."""
    if not tensors:
        return []
    with torch.no_grad():
        dense = [t.coalesce().values() if t.is_sparse else t for t in tensors]
        strides = [1 if t.numel() <= LARGE else 17 for t in dense]
        dense = [
            t if stride == 1 else t.reshape(-1)[::stride]
            for t, stride in zip(dense, strides, strict=True)
        ]
        half = any(t.dtype in (torch.float16, torch.bfloat16) for t in dense)
        numbers = torch._foreach_norm(dense, 2, dtype=torch.float32 if half else None)
        if len({(t.device, t.dtype) for t in numbers}) == 1:
            norms: list[float] = torch.stack(numbers).tolist()
        else:
            norms = [float(number) for number in numbers]
        return [norm * math.sqrt(stride) for norm, stride in zip(norms, strides, strict=True)]


def sample_size(n: int) -> int:
    """How many entries of a tensor of `n` numbers are copied."""
    return n if n <= SAMPLED else -(-n // _stride(n))


def _stride(n: int) -> int:
    # odd, so that a matrix is not read in one of its columns
    return -(-n // SAMPLED) | 1


def entries_of(tensor: Tensor) -> Tensor:
    """At most `SAMPLED` entries of a tensor, evenly spread, as a view where that can be."""
    if not tensor.is_contiguous():
        flat = tensor.reshape(-1)
        return flat if len(flat) <= SAMPLED else flat[:: _stride(len(flat))]
    if (n := tensor.numel()) <= SAMPLED:
        return tensor.view(-1)
    return tensor.as_strided((sample_size(n),), (_stride(n),))


def sample_entries(tensors: Sequence[Tensor]) -> NDArray[Any]:
    """A copy of some entries of every tensor, all of them in one vector; in single precision,
    which holds any number of half precision exactly, or in double where one of them is.
    """
    with torch.no_grad():
        dtype = torch.float64 if any(t.dtype == torch.float64 for t in tensors) else torch.float32
        entries = [entries_of(t) for t in tensors]
        if len({t.device for t in tensors}) > 1:
            entries = [t.cpu() for t in entries]
        array: NDArray[Any] = torch.cat(entries).to("cpu", dtype).numpy()
        return array
