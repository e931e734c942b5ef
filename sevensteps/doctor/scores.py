"""Accuracy or r2 of raw outputs, for loops that hand over no more than outputs and targets."""

from __future__ import annotations

from torch import Tensor

from sevensteps.metrics import accuracy, r2


def score(task: str | None, link: str, output: Tensor, target: Tensor) -> float | None:
    """Accuracy for classes, r2 for numbers, None where it cannot be told. One output is a yes above
    0 behind a sigmoid, else above .5.
    """
    if task in ("binary", "multiclass"):
        truth = (
            target.argmax(1)
            if target.ndim == 2 and target.shape[1] > 1
            else target.reshape(-1).long()
        )
        if output.ndim == 2 and output.shape[1] > 1:
            return accuracy(output.argmax(1), truth)
        threshold = 0.0 if link == "sigmoid" else 0.5
        return accuracy((output.reshape(-1) > threshold).long(), truth)
    if task == "regression" and output.numel() == target.numel():
        return r2(output.reshape(target.shape), target)
    return None
