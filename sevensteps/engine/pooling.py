"""Where the windows of convolution and pooling lie.

Mean pooling is a matrix: along one axis, row i holds 1 / count at the numbers in window i, and 0
elsewhere. The mean over a two-dimensional window is then A x Bᵀ with one matrix per axis, and its
gradient Aᵀ g B.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import Tensor, nn


def padding(conv: nn.Conv2d) -> tuple[int, ...] | None:
    """The zeros at each end of each axis, with PyTorch's words read as numbers; None where the two
    ends differ.
    """
    if not isinstance(conv.padding, str):
        return conv.padding
    both = [
        d * (k - 1) if conv.padding == "same" else 0
        for d, k in zip(conv.dilation, conv.kernel_size, strict=True)
    ]
    return None if any(zeros % 2 for zeros in both) else tuple(zeros // 2 for zeros in both)


def channels_last(x: Tensor) -> Tensor:
    """Images [B, C, H, W] stored with the channels of a pixel side by side: pooling and
    small convolutions are then up to ten times as fast on a processor. Others are handed back as
    they are: PyTorch has no such kernels for float64.
    """
    if x.dtype not in (torch.float32, torch.bfloat16) or x.device.type != "cpu" or x.ndim != 4:
        return x
    # both orders are the same here; only the strides say which it is
    if x.shape[1] == 1 and x.is_contiguous():
        return x.as_strided(x.shape, (x.stride(0), 1, x.stride(2), 1))
    return x.contiguous(memory_format=torch.channels_last)


def pair(value: Any) -> tuple[int, int]:
    """A number for both axes, or one for each, as two."""
    return _of_axis(value, 0), _of_axis(value, 1)


def average_matrix(pool: nn.AvgPool2d, axis: int, size: int, count: int) -> Tensor:
    """[count, size]: the windows of `pool` along `axis` (0 down, 1 across), over `size` numbers."""
    kernel, stride, padding = (
        _of_axis(value, axis) for value in (pool.kernel_size, pool.stride, pool.padding)
    )
    # a divisor of the whole window is given to one axis, and 1 to the other
    divisor = None if pool.divisor_override is None else pool.divisor_override if axis == 0 else 1
    return _strided(size, count, kernel, stride, padding, pool.count_include_pad, divisor)


def adaptive_average_matrix(size: int, count: int) -> Tensor:
    """[count, size]: `count` windows as even as they go; neighbours overlap where `count` does not
    divide `size`.
    """
    return _matrix(
        size, tuple((i * size // count, math.ceil((i + 1) * size / count)) for i in range(count))
    )


@functools.cache
def _strided(
    size: int,
    count: int,
    kernel: int,
    stride: int,
    padding: int,
    count_padding: bool,
    divisor: int | None,
) -> Tensor:
    windows, divisors = [], []
    for i in range(count):
        start = i * stride - padding
        stop = min(start + kernel, size + padding)
        inside = max(start, 0), min(stop, size)
        windows.append(inside)
        divisors.append(divisor or (stop - start if count_padding else inside[1] - inside[0]))
    return _matrix(size, tuple(windows), tuple(divisors))


@functools.cache
def _matrix(
    size: int, windows: tuple[tuple[int, int], ...], divisors: tuple[int, ...] = ()
) -> Tensor:
    matrix = torch.zeros(len(windows), size, dtype=torch.float64)
    for row, (start, stop), divisor in zip(
        matrix, windows, divisors or [b - a for a, b in windows], strict=True
    ):
        row[start:stop] = 1 / divisor
    return matrix


def _of_axis(value: Any, axis: int) -> int:
    """Settings of two axes are one number for both or a pair."""
    return int(value[axis] if isinstance(value, tuple | list) else value)
