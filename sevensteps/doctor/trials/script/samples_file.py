"""Samples that the runs of a trial share: arguments of a network and targets, in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

LAYOUT = "layout"  # the entry of the file's header that has the structure around the tensors


def write_samples(path: Path, value: Any) -> None:
    """Write tensors, and tuples, lists and dictionaries of them, into a file; atomically.

    Raises `TypeError` for anything else.
    """
    tensors: dict[str, Tensor] = {}
    layout = json.dumps(_layout(value, tensors))
    part = path.with_suffix(".part")
    part.write_bytes(safetensors.torch.save(tensors, {LAYOUT: layout}))
    part.rename(path)


def read_samples(path: Path) -> Any:
    """What `write_samples` wrote."""
    with safetensors.safe_open(path, "pt") as file:
        return _value(json.loads(file.metadata()[LAYOUT]), file)


def _layout(value: Any, tensors: dict[str, Tensor]) -> list[Any]:
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().cpu().contiguous().clone()
        return ["tensor", name]
    if isinstance(value, dict):
        return ["dict", {str(name): _layout(part, tensors) for name, part in value.items()}]
    if type(value) in (tuple, list):
        return [type(value).__name__, [_layout(part, tensors) for part in value]]
    if value is None or isinstance(value, bool | int | float | str):
        return ["plain", value]
    raise TypeError(f"samples of {type(value).__name__} are not kept")


def _value(layout: list[Any], file: Any) -> Any:
    kind, content = layout
    if kind == "tensor":
        return file.get_tensor(content)
    if kind == "dict":
        return {name: _value(part, file) for name, part in content.items()}
    if kind in ("tuple", "list"):
        parts = [_value(part, file) for part in content]
        return tuple(parts) if kind == "tuple" else parts
    return content
