"""Tensors by name in a safetensors file: eight bytes with the length of the header, the header in
JSON, the numbers.

What the header announces is checked against limits and the file before memory is taken for it.
Source of the format: https://github.com/huggingface/safetensors, README, Format.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from sevensteps.errors import RunError
from sevensteps.notation import cut
from sevensteps.record.run_folder import inside

MAX_HEADER = 10_000_000  # bytes; some hundred for each tensor
MAX_TENSORS = 50_000
MAX_BYTES = 1 << 36  # 64 GB, of one file
MAX_DIMENSIONS = 16
# of one number
BYTES = {
    "BOOL": 1,
    "U8": 1,
    "I8": 1,
    "I16": 2,
    "F16": 2,
    "BF16": 2,
    "I32": 4,
    "F32": 4,
    "I64": 8,
    "F64": 8,
}


def to_safetensors(weights: dict[str, Tensor]) -> bytes:
    """Tensors by name as safetensors. Each is copied: the network's own are views of one vector."""
    return safetensors.torch.save(
        {name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()}
    )


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name. Raises `RunError`."""
    read_shapes(path)
    try:
        return safetensors.torch.load_file(path)
    except (
        OSError,
        safetensors.SafetensorError,
        ValueError,
        KeyError,
        TypeError,
        RuntimeError,
        MemoryError,
    ) as failure:
        raise RunError(f"{path} cannot be read: {failure}") from None


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of the tensors in a safetensors file by name, from its header alone. Raises
    `RunError`.
    """
    try:
        with inside(path).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            length = int.from_bytes(file.read(8), "little")
            if size > MAX_BYTES:
                raise RunError(f"{path} has {size:,} bytes; at most {MAX_BYTES:,} are read")
            if MAX_HEADER < length <= size - 8:
                raise RunError(
                    f"{path} has a header of {length:,} bytes, more than any honest one (at most "
                    f"{MAX_HEADER:,} are read); "
                    "it is damaged or something else"
                )
            # reads the header, and holds it against the size of the file
            with safetensors.safe_open(path, "pt"):
                header = json.loads(file.read(length))
    except OSError as failure:
        raise RunError(f"{path} cannot be read: {failure.strerror or failure}") from None
    except (safetensors.SafetensorError, ValueError, RecursionError) as failure:
        raise RunError(f"{path} cannot be read: {failure}") from None
    header.pop("__metadata__", None)
    if len(header) > MAX_TENSORS:
        raise RunError(f"{path} holds {len(header):,} tensors; at most {MAX_TENSORS:,} are read")
    return {name: _shape(path, name, entry) for name, entry in header.items()}


def _shape(path: Path, name: str, entry: dict[str, Any]) -> tuple[int, ...]:
    """The shape of one tensor. An empty one may announce any size, as no byte of the file has to
    stand for it.
    """
    shape = tuple(entry["shape"])
    if entry["dtype"] not in BYTES:
        raise RunError(
            f"{path} holds {cut(name)} as {entry['dtype']}, which no network here has; known: "
            f"{', '.join(BYTES)}"
        )
    if (
        len(shape) > MAX_DIMENSIONS
        or math.prod(size for size in shape if size) * BYTES[entry["dtype"]] > MAX_BYTES
    ):
        raise RunError(
            f"{path} holds {cut(name)} of shape {cut(str(list(shape)))}, larger than any; it is "
            "damaged, or something "
            "else"
        )
    return shape
