"""Whether a matrix of weights is still as it was drawn at random, or was trained."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

LEAST_TOGETHER = 60  # of small matrices
LEAST = 100  # weights; of fewer nothing can be told
LEAST_OF_NORMAL, LEAST_SIDE = 1000, 8  # whose singular values say more than their distribution
AGREES = 1.6  # Kolmogorov's statistic, which is above that in 1 of 80 drawn
WITHIN = 1.05  # of the largest singular value of drawn numbers


def are_as_drawn(weights: Sequence[Tensor]) -> bool:
    """Whether all of these are as they were drawn; of matrices too small to tell by themselves,
    whether all together are as PyTorch's layers draw theirs, uniform up to 1/√(inputs).
    """
    small = [weight for weight in weights if weight.numel() < LEAST]
    if not all(is_as_drawn(weight) for weight in weights if weight.numel() >= LEAST):
        return False
    if not small:
        return bool(weights)
    flat = [w.detach().double().cpu().flatten(1) for w in small]
    numbers = torch.cat([(w * math.sqrt(w.shape[1])).flatten() for w in flat]).sort().values
    if len(numbers) < LEAST_TOGETHER or not float(numbers.abs().max()) <= 1 + 1e-6:
        # only a few numbers beside those that are known
        return len(small) < len(weights) and len(numbers) < LEAST_TOGETHER
    places = (torch.arange(len(numbers)).double() + 0.5) / len(numbers)
    return _distance((numbers + 1) / 2, places) < AGREES


def is_as_drawn(weight: Tensor) -> bool:
    """Whether the numbers of a matrix are distributed as those that are drawn from a uniform or a
    normal distribution, without a trace of training.

    Steps of a training carry weights beyond the sharp ends of a uniform distribution, and give
    some directions a larger singular value than independent numbers of variance σ² have,
    σ (√rows + √columns). Source: Marchenko, Pastur 1967; Kolmogorov 1933.
    """
    if weight.ndim < 2 or weight.numel() < LEAST or not bool(weight.isfinite().all()):
        return False
    matrix = weight.detach().double().cpu().flatten(1)
    numbers = matrix.flatten().sort().values
    size, sigma = len(numbers), float(matrix.square().mean().sqrt())
    if not sigma > 0:
        return False
    places = (torch.arange(size).double() + 0.5) / size
    bound = float(numbers.abs().max())
    uniform = (numbers / bound + 1) / 2
    # σ of N uniform numbers varies by 0.45/√N of itself
    if _distance(uniform, places) < AGREES and bound < (1 + 1.2 / math.sqrt(size)) * sigma * 3**0.5:
        return True
    if size < LEAST_OF_NORMAL or min(matrix.shape) < LEAST_SIDE:
        return False
    normal = torch.special.ndtr(numbers / sigma)
    largest = float(torch.linalg.matrix_norm(matrix, 2))
    edge = sigma * (math.sqrt(matrix.shape[0]) + math.sqrt(matrix.shape[1]))
    return _distance(normal, places) < AGREES and largest < WITHIN * edge


def _distance(shares: Tensor, places: Tensor) -> float:
    """√N times the largest distance between two distribution functions."""
    return float((shares - places).abs().max()) * math.sqrt(len(places))
