"""What is in the data, in numbers: shapes, ranges, classes and their balance, inputs that never vary, samples met twice."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sevensteps.data.core import Data, Part


def facts(data: Data) -> dict[str, Any]:
    """The facts of `data` as JSON can hold them; numbers of inputs and targets as the network gets them, scaled."""
    x = data.train.x
    low, high = x.amin(0), x.amax(0)
    constant = low == high
    zero = data.scaling(torch.zeros(1, *x.shape[1:]))[0]
    return {
        "source": data.source,
        "about": data.about,
        "kind": data.kind,
        "task": {"kind": data.task.kind, "targets": data.task.targets, "classes": list(data.task.classes),
                 "reason": data.task.reason},
        "shape": list(x.shape[1:]),
        "inputs": x[0].numel(),
        "features": list(data.features),
        "dtype": _dtype(x),
        "target_dtype": _dtype(data.train.y),
        "scaling": data.scaling.to_dict(),
        "target_scaling": data.target_scaling.to_dict(),
        "train": _part(data, data.train),
        "valid": _part(data, data.valid),
        "always_zero_inputs": int((constant & (low == zero)).sum()),
        "constant_inputs": int(constant.sum()),
        "duplicates": duplicates(data.train.x, data.valid.x),
    }


def _part(data: Data, part: Part) -> dict[str, Any]:
    found: dict[str, Any] = {"count": len(part), "inputs": _range(part.x)}
    if data.task.kind in ("binary", "multiclass"):
        counts = torch.bincount(part.y.reshape(-1).long(), minlength=len(data.task.classes)).tolist()
        found["classes"] = _shares(data.task.classes, counts, len(part))
    elif data.task.kind == "multilabel":
        found["labels"] = _shares(data.task.classes, part.y.sum(0).long().tolist(), len(part))
    else:
        found["targets"] = _range(part.y)
    return found


def _shares(names: tuple[str, ...], counts: list[int], total: int) -> dict[str, dict[str, float]]:
    return {name: {"count": count, "share": count / total} for name, count in zip(names, counts, strict=True)}


def _range(values: Tensor) -> dict[str, float]:
    return {"min": float(values.min()), "max": float(values.max()), "mean": float(values.mean()),
            "std": float(values.std(correction=0)), "not_finite": int((~values.isfinite()).sum())}


def _dtype(values: Tensor) -> str:
    return str(values.dtype).removeprefix("torch.")


def duplicates(train: Tensor, valid: Tensor) -> int:
    """How many validation inputs equal a training input in every number."""
    if train.shape[1:] != valid.shape[1:]:
        return 0
    seen = {row.tobytes() for row in _rows(train)}
    return sum(row.tobytes() in seen for row in _rows(valid))


def _rows(x: Tensor) -> Any:
    return (x.reshape(len(x), -1) + 0.0).contiguous().numpy()  # + 0.0 makes -0 and 0 the same bytes
