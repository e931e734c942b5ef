"""What is in the data, in numbers: shapes, ranges, classes and their balance, inputs that never
vary, samples met twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from sevensteps.data.dataset import Data
from sevensteps.data.duplicates import count
from sevensteps.data.part import Part
from sevensteps.data.streaming.streamed import Streamed


def facts(data: Data) -> dict[str, Any]:
    """The facts of `data` as JSON can hold them; numbers of inputs and targets as the network gets
    them, scaled.
    """
    x = data.train.x
    if isinstance(x, Streamed):
        low, high = (x.scaling(held[None])[0] for held in (x.tally.least, x.tally.most))
    else:
        low, high = x.amin(0), x.amax(0)
    constant = low == high
    zero = data.scaling(torch.zeros(1, *x.shape[1:]))[0]
    return {
        "source": data.source,
        "about": data.about,
        "kind": data.kind,
        "task": {
            "kind": data.task.kind,
            "targets": data.task.targets,
            "classes": list(data.task.classes),
            "reason": data.task.reason,
        },
        "shape": list(x.shape[1:]),
        "inputs": low.numel(),
        "features": list(data.features),
        "dtype": _dtype(x),
        "target_dtype": _dtype(data.train.y),
        "scaling": data.scaling.to_dict(),
        "target_scaling": data.target_scaling.to_dict(),
        "train": _part(data, data.train),
        "valid": _part(data, data.valid),
        "always_zero_inputs": int((constant & (low == zero)).sum()),
        "constant_inputs": int(constant.sum()),
        "duplicates": _twice(data.train.x, data.valid.x),
    }


def _part(data: Data, part: Part) -> dict[str, Any]:
    found: dict[str, Any] = {"count": len(part), "inputs": _range(part.x)}
    if data.task.kind in ("binary", "multiclass"):
        counts = torch.bincount(
            part.y.reshape(-1).long(), minlength=len(data.task.classes)
        ).tolist()
        found["classes"] = _shares(data.task.classes, counts, len(part))
    elif data.task.kind == "multilabel":
        found["labels"] = _shares(data.task.classes, part.y.sum(0).long().tolist(), len(part))
    else:
        found["targets"] = _range(part.y)
    return found


def _shares(names: tuple[str, ...], counts: list[int], total: int) -> dict[str, dict[str, float]]:
    return {
        name: {"count": count, "share": count / total}
        for name, count in zip(names, counts, strict=True)
    }


def _range(values: Tensor | Streamed) -> dict[str, float]:
    if isinstance(values, Streamed):  # of the columns or channels, which all have as many numbers
        tally, scaling = values.tally, values.scaling
        means, low, high = (
            (held - scaling.offset) / scaling.scale for held in (tally.mean, tally.low, tally.high)
        )
        variance = (tally.std() / scaling.scale).square().mean() + means.var(correction=0)
        return {
            "min": float(low.min()),
            "max": float(high.max()),
            "mean": float(means.mean()),
            "std": float(variance.sqrt()),
            "not_finite": 0,
        }
    return {
        "min": float(values.min()),
        "max": float(values.max()),
        "mean": float(values.mean()),
        "std": float(values.std(correction=0)),
        "not_finite": int((~values.isfinite()).sum()),
    }


def _dtype(values: Tensor | Streamed) -> str:
    return str(values.dtype).removeprefix("torch.")


def _twice(train: Tensor | Streamed, valid: Tensor | Streamed) -> int | None:
    """How many validation inputs equal a training input in every number; None where there are too
    many to compare.
    """
    if isinstance(train, Tensor) and isinstance(valid, Tensor):
        return count(train, valid)
    if train.shape[1:] != valid.shape[1:]:
        return 0
    seen = set(_keys(train))
    return sum(key in seen for key in _keys(valid))


def _keys(x: Tensor | Streamed) -> Iterator[bytes]:
    """A hash of each sample: themselves they would not fit in memory."""
    for piece in x.pieces(x.some) if isinstance(x, Streamed) else [x]:
        for row in (
            (piece.reshape(len(piece), -1) + 0.0).contiguous().numpy()
        ):  # + 0.0 makes -0 and 0 the same bytes
            yield hashlib.blake2b(row, digest_size=16).digest()
