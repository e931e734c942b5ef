"""Whether a matrix of weights is still as it was drawn at random, or was trained."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LEAST = 100  # weights; of fewer nothing can be told
LEAST_OF_NORMAL, LEAST_SIDE = 1000, 8  # whose singular values say more than their distribution
AGREES = 1.6  # Kolmogorov's statistic, which is above that in 1 of 80 drawn
WITHIN = 1.05  # of the largest singular value of drawn numbers


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
