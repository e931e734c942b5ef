"""Tensors by name in a safetensors file."""

from __future__ import annotations

from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from sevensteps.errors import RunError


def pack(weights: dict[str, Tensor]) -> bytes:
    """Tensors by name as safetensors. Each is copied: the network's own are views of one vector."""
    return safetensors.torch.save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()})


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name."""
    try:
        return safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError, ValueError) as failure:
        raise RunError(f"{path} cannot be read: {failure}") from None
