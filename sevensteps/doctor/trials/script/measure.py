"""How well a network answers on samples that all runs of a trial share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

ACCURACY = "accuracy on training samples"
RANKING = "share of pairs in the right order (AUC) on training samples"
R2 = "r2 on training samples"
WORST_R2 = -1.0  # below it, no answer is worse than another
PADDING = -100  # PyTorch's `ignore_index`


def answer_quality(output: Any, target: Any, ignored: int = PADDING) -> tuple[str, float] | None:
    """What `output` is measured by against `target`, and the number; larger is better.

    Classes: the share of right answers, but for targets that are `ignored`. Yes or no: the share of
    pairs of one yes and one no in the right order, which does not depend on where the line is
    drawn. Numbers: r2, -1 at least. None where output and target do not belong together.
    """
    if not isinstance(output, Tensor) or not isinstance(target, Tensor) or not target.numel():
        return None
    output, target = output.detach(), target.detach()
    if not target.is_floating_point():
        if (answers := _classes(output, target)) is not None:
            counted = (target != PADDING) & (target != ignored)
            if not bool(counted.any()):
                return None
            right = (answers == target)[counted].double().mean()
            return ACCURACY, float(right)
        target = target.to(output.dtype)
    if output.is_floating_point() and output.shape == target.shape and target.ndim == 2:
        sums = target.sum(1)
        if (
            target.shape[1] > 1
            and bool((target >= 0).all())
            and bool((sums - 1).abs().max() < 1e-3)
        ):
            return ACCURACY, float((output.argmax(1) == target.argmax(1)).double().mean())
    if output.numel() != target.numel() or not output.is_floating_point():
        return None
    answers, truth = output.reshape(-1).double(), target.reshape(-1).double()
    if not bool(answers.isfinite().all()):
        return (RANKING, 0.0) if _is_binary(truth) else (R2, WORST_R2)
    if _is_binary(truth):
        return RANKING, _ranking(answers, truth > 0)
    spread = (truth - truth.mean()).square().mean()
    if not float(spread):
        return None
    return R2, max(WORST_R2, float(1 - (answers - truth).square().mean() / spread))


def _classes(output: Tensor, target: Tensor) -> Tensor | None:
    """The classes that an output names, in the shape of the target; None where it names none."""
    if not output.is_floating_point() or output.ndim != target.ndim + 1:
        return None
    for axis in (1, output.ndim - 1):
        if output.shape[:axis] + output.shape[axis + 1 :] == target.shape:
            if output.shape[axis] < 2:
                return None
            return output.argmax(axis)
    return None


def _is_binary(truth: Tensor) -> bool:
    low, high = truth.min(), truth.max()
    return bool(low < high) and bool(((truth == low) | (truth == high)).all())


def _ranking(answers: Tensor, yes: Tensor) -> float:
    """The share of pairs (yes, no) of which the yes has the larger answer; ties count half."""
    _values, places, counts = torch.unique(answers, return_inverse=True, return_counts=True)
    ends = counts.cumsum(0).double()
    ranks = (ends - (counts.double() - 1) / 2)[places]
    positives, negatives = int(yes.sum()), int((~yes).sum())
    return float((ranks[yes].sum() - positives * (positives + 1) / 2) / (positives * negatives))
