"""Targets that are noise, and what it was added to among the inputs: then it only is subtracted."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import torch
from torch import Tensor

ROWS, NUMBERS = 64, 8  # samples, and numbers of each, of fewer a sum says nothing
MOST_ROWS, MOST_NUMBERS, MOST_PARTS = 128, 512, 64  # that are compared
EXACT = 1e-3  # of the length of a target, that a weighed sum of two parts may leave
NEARLY_ALL = 0.98  # of the samples
UNRELATED = 0.2  # correlation of the noise and what it was added to
SPREAD, TAILS = (
    0.15,
    1.0,
)  # how far mean and spread of noise may be from 0 and 1, and kurtosis from 3


def subtracted_noise(inputs: Iterable[Tensor], target: Tensor) -> tuple[int, int] | None:
    """Two parts of the inputs, by their places among all parts, whose weighed sum is the target in
    each sample, with weights of its own, where the targets are normal noise that has nothing to do
    with one part. Parts are stretches of columns, or of channels, of the target's shape.
    """
    if not target.is_floating_point() or target.ndim < 2 or len(target) < ROWS:
        return None
    y = _some(target)
    if y.shape[1] < NUMBERS or not _is_noise(y):
        return None
    every = [part for x in inputs for part in _parts(x, target)][:MOST_PARTS]
    varied = [i for i, part in enumerate(every) if float(part.std()) > 0]
    for one, other in combinations(varied, 2):
        related = [abs(_correlation(every[part], y)) for part in (one, other)]
        if min(related) < UNRELATED < max(related) and _spans(every[one], every[other], y):
            return one, other
    return None


def _parts(x: Tensor, target: Tensor) -> list[Tensor]:
    """The stretches [N, D] of an input that have a target's shape."""
    if not x.is_floating_point() or x.ndim != target.ndim or len(x) != len(target):
        return []
    if x.shape[2:] != target.shape[2:] or x.shape[1] < target.shape[1]:
        return []
    width = target.shape[1]
    starts = range(x.shape[1] - width + 1)
    return [_some(x[:, start : start + width]) for start in starts[:MOST_PARTS]]


def _some(x: Tensor) -> Tensor:
    """The first samples, and at most `MOST_NUMBERS` numbers of each [N, D], as float64."""
    flat = x[:MOST_ROWS].flatten(1)
    return flat[:, :: -(-flat.shape[1] // MOST_NUMBERS)].double()


def _is_noise(y: Tensor) -> bool:
    """Whether numbers are drawn from the standard normal distribution, as far as moments say."""
    mean, spread = float(y.mean()), float(y.std())
    if abs(mean) > SPREAD or abs(spread - 1) > SPREAD:
        return False
    return abs(float(((y - mean) / spread).pow(4).mean()) - 3) < TAILS


def _correlation(one: Tensor, other: Tensor) -> float:
    a, b = one - one.mean(0), other - other.mean(0)
    return float((a * b).sum() / (a.norm() * b.norm()).clamp_min(1e-300))


def _spans(one: Tensor, other: Tensor, y: Tensor) -> bool:
    """Whether nearly each row of y [N, D] is a weighed sum of the rows of both."""
    basis = torch.linalg.qr(torch.stack([one, other], 2))[0]
    left = y - (basis @ (basis.transpose(1, 2) @ y[:, :, None]))[:, :, 0]
    exact = left.norm(dim=1) < EXACT * y.norm(dim=1)
    return float(exact.double().mean()) >= NEARLY_ALL
