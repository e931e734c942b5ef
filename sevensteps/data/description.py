"""What is in the data, in numbers that JSON can hold.

Ranges, classes and their balance, inputs that never vary.
"""

from __future__ import annotations

from typing import Any

import torch

from sevensteps.data.inputs import Inputs
from sevensteps.data.part import Part
from sevensteps.data.scaling import Scaling
from sevensteps.data.streaming.streamed_inputs import StreamedInputs
from sevensteps.task import Task


def count_constant_inputs(x: Inputs, scaling: Scaling) -> tuple[int, int]:
    """Of the inputs of a sample: how many are the same in all samples, and how many of these are 0
    before the scaling.
    """
    if isinstance(x, StreamedInputs):
        statistics = x.statistics
        low, high = (x.scaling(raw[None])[0] for raw in (statistics.minimum, statistics.maximum))
    else:
        low, high = x.amin(0), x.amax(0)
    constant = low == high
    zero = scaling(torch.zeros(1, *x.shape[1:]))[0]
    return int(constant.sum()), int((constant & (low == zero)).sum())


def describe_part(part: Part, task: Task) -> dict[str, Any]:
    """How many samples, and the range of inputs and targets, or how many are of each class."""
    facts: dict[str, Any] = {"count": len(part), "inputs": _range(part.x)}
    if task.kind in ("binary", "multiclass"):
        labels = part.y.reshape(-1).long()
        counts = torch.bincount(labels, minlength=len(task.classes)).tolist()
        facts["classes"] = _shares(task.classes, counts, len(part))
    elif task.kind == "multilabel":
        facts["labels"] = _shares(task.classes, part.y.sum(0).long().tolist(), len(part))
    else:
        facts["targets"] = _range(part.y)
    return facts


def dtype_name(values: Inputs) -> str:
    """The dtype without its "torch.": float32."""
    return str(values.dtype).removeprefix("torch.")


def _shares(names: tuple[str, ...], counts: list[int], total: int) -> dict[str, dict[str, float]]:
    return {
        name: {"count": count, "share": count / total}
        for name, count in zip(names, counts, strict=True)
    }


def _range(values: Inputs) -> dict[str, float]:
    """Smallest and largest number, mean and standard deviation, over all inputs together."""
    if isinstance(values, StreamedInputs):
        # of the columns or channels, which all have as many numbers
        statistics, scaling = values.statistics, values.scaling
        means, low, high = (
            (raw - scaling.offset) / scaling.scale
            for raw in (statistics.mean, statistics.low, statistics.high)
        )
        within = (statistics.std() / scaling.scale).square().mean()
        return {
            "min": float(low.min()),
            "max": float(high.max()),
            "mean": float(means.mean()),
            "std": float((within + means.var(correction=0)).sqrt()),
            "not_finite": 0,
        }
    return {
        "min": float(values.min()),
        "max": float(values.max()),
        "mean": float(values.mean()),
        "std": float(values.std(correction=0)),
        "not_finite": int((~values.isfinite()).sum()),
    }
