"""Weights drawn anew: what a network cannot do with any weights, its structure forbids."""

from __future__ import annotations

import math

import torch
from torch import nn

GAIN = 1.5  # of a normal distribution of std gain / √inputs: signals neither vanish nor explode


@torch.no_grad()
def redraw(network: nn.Module, seed: int) -> None:
    """Reset all parameters and running statistics of a copy, and draw its matrices from a normal
    distribution.

    A training that has ended in dead units, or in weights of 0, leaves nothing behind.
    """
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        reset = getattr(module, "reset_parameters", None)
        if callable(reset) and type(module).__module__.startswith("torch.nn."):
            reset()
    for parameter in network.parameters():
        if parameter.ndim >= 2 and parameter.is_floating_point():
            inputs = parameter[0].numel()
            drawn = torch.randn(parameter.shape, generator=generator) * GAIN / math.sqrt(inputs)
            parameter.copy_(drawn)
