"""Data whose numbers are all of 256: a quarter of the memory has to be read."""

from __future__ import annotations

import torch
from torch import Tensor

PART = 1 << 20  # numbers looked at at once


def as_bytes(x: Tensor) -> Tensor | None:
    """The bytes b [same shape] where every number of `x` is exactly b / 255, as in pictures; None
    where one is not.
    """
    flat = x.reshape(-1)
    numbers = torch.empty(flat.shape, dtype=torch.uint8)
    for begin in range(0, len(flat), PART):
        part = flat[begin : begin + PART]
        rounded = (part * 255).round_().clamp_(0, 255)
        if not torch.equal(rounded / 255, part):
            return None
        numbers[begin : begin + PART] = rounded.to(torch.uint8)
    return numbers.view(x.shape)
