"""How well a network answers on samples that all runs of a trial share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

ACCURACY = "accuracy on training samples"
RANKING = "share of pairs in the right order (AUC) on training samples"
R2 = "r2 on training samples"
BALANCED = "mean recall of the classes on training samples"
NEIGHBOURS = "share of training samples whose nearest neighbour is of their class"
UNSEEN = "accuracy where what comes later is that of another sample"
COMPARED = "r2 between what is compared on the line"
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


def other_qualities(
    output: Any, target: Any, answers_to: Callable[[Tensor], Any], x: Any
) -> dict[str, float]:
    """What else `output` can be measured by against `target`, and the numbers; larger is better.

    `answers_to(x)` is what the network gives for other inputs than `x`.
    """
    if not isinstance(output, Tensor) or not isinstance(target, Tensor):
        return {}
    if target.is_floating_point() or not target.numel():
        return {}
    result = {}
    if (answers := _classes(output, target)) is not None:
        truth = target.flatten()
        recalls = [
            float((answers.flatten()[truth == c] == c).double().mean())
            for c in truth[truth >= 0].unique().tolist()
        ]
        result[BALANCED] = sum(recalls) / max(len(recalls), 1)
        if target.ndim == 2 and isinstance(x, Tensor) and x.shape[:2] == target.shape:
            result[UNSEEN] = _without_later(target, answers_to, x)
    if output.ndim == 2 and target.ndim == 1 and len(output) == len(target) > 2:
        distances = torch.cdist(output.double(), output.double()).fill_diagonal_(math.inf)
        nearest = distances.nan_to_num(math.inf).argmin(1)
        alike = bool(output.isfinite().all()) and float(output.std(0).max()) > 0
        result[NEIGHBOURS] = float((target[nearest] == target).double().mean()) if alike else 0.0
    return result


def _without_later(target: Tensor, answers_to: Callable[[Tensor], Any], x: Tensor) -> float:
    """The accuracy at some places, with the inputs after each place taken from another sample."""
    steps, shares = x.shape[1], []
    for place in sorted({steps // 4, steps // 2, 3 * steps // 4}):
        other = x.clone()
        other[:, place + 1 :] = x.roll(1, 0)[:, place + 1 :]
        answers = _classes(answers_to(other), target)
        if answers is not None:
            shares.append(float((answers[:, place] == target[:, place]).double().mean()))
    return sum(shares) / len(shares) if shares else math.nan


def paired_r2(output: Tensor, target: Tensor) -> float:
    """How much of the spread of `target` the numbers of `output` explain, in their order."""
    answers, truth = output.detach().flatten().double(), target.detach().flatten().double()
    spread = float((truth - truth.mean()).square().mean())
    error = float((answers - truth).square().mean())
    return max(WORST_R2, 1 - error / spread) if spread > 0 and math.isfinite(error) else WORST_R2


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
