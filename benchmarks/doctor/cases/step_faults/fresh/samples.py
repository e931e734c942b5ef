"""The data of these pairs: points, arms of robots, numerals, sequences, counts and tables."""

from __future__ import annotations

import functools

import numpy as np
from sklearn import datasets

from benchmarks.doctor.data import Data, split


def parted(x: np.ndarray, y: np.ndarray, share: float = 0.75) -> Data:
    """Training data first; classes as [N], numbers as [N, 1]."""
    kind = np.float32 if y.dtype.kind == "f" else np.int64
    y = y[:, None] if y.dtype.kind == "f" and y.ndim == 1 else y
    return split(x.astype(np.float32), y.astype(kind), int(share * len(x)))


def standard(x: np.ndarray) -> np.ndarray:
    """Mean 0 and spread 1 in each column."""
    return (x - x.mean(0)) / x.std(0)


@functools.cache
def shells() -> Data:
    """Points [N, 4] in three shells around the origin, a class each."""
    x, y = datasets.make_gaussian_quantiles(
        n_samples=1400, n_features=4, n_classes=3, random_state=5
    )
    return parted(x, y)


@functools.cache
def board() -> Data:
    """Points [N, 2] on a board of 4 × 4 fields; 1 on the dark ones. [N, 1]"""
    draw = np.random.default_rng(6)
    x = draw.uniform(-2, 2, (2000, 2))
    return parted(x, (np.floor(x).sum(1) % 2).astype(float))


@functools.cache
def arms() -> Data:
    """Two angles and two lengths of an arm [N, 4]; how high its hand is, standardised. [N, 1]"""
    draw = np.random.default_rng(7)
    angles = draw.uniform(-1.5, 1.5, (1600, 2))
    lengths = draw.uniform(0.2, 1.8, (1600, 2))
    y = lengths[:, 0] * np.sin(angles[:, 0]) + lengths[:, 1] * np.sin(angles.sum(1))
    return parted(np.hstack([angles, standard(lengths)]), standard(y))


@functools.cache
def numerals() -> Data:
    """scikit-learn's handwritten numerals [N, 1, 8, 8] in 0..1, mixed anew."""
    x, y = datasets.load_digits(return_X_y=True)
    order = np.random.default_rng(8).permutation(len(x))
    return parted(x[order].reshape(-1, 1, 8, 8) / 16, y[order])


@functools.cache
def tumours() -> Data:
    """Breast tumours [N, 30], standardised and mixed; 1 where harmless. [N, 1]"""
    x, y = datasets.load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(9).permutation(len(x))
    return parted(standard(x)[order], y[order].astype(float))


@functools.cache
def bumps() -> Data:
    """Two bumps in a noisy series [N, 16, 1], one up and one down; 1 where up is first. [N, 1]"""
    draw = np.random.default_rng(10)
    x = 0.2 * draw.normal(size=(1200, 16, 1))
    y = draw.integers(0, 2, len(x))
    for series, up_first in zip(x, y, strict=True):
        early, late = np.sort(draw.choice(16, 2, replace=False))
        series[early] += 2 if up_first else -2
        series[late] += -2 if up_first else 2
    return parted(x, y.astype(float))


@functools.cache
def memos(length: int = 30) -> Data:
    """Noise [N, length, 1] whose first number is one of four levels, the class."""
    draw = np.random.default_rng(11)
    y = draw.integers(0, 4, 1200)
    x = 0.3 * draw.normal(size=(len(y), length, 1))
    x[:, 0, 0] += y - 1.5
    return parted(x, y)


@functools.cache
def visits() -> Data:
    """Three columns and how many visitors came, a Poisson count of 0 to 30. [N, 1]"""
    draw = np.random.default_rng(12)
    x = draw.normal(size=(1600, 3))
    rate = np.exp(1 + 0.6 * x[:, 0] + 0.5 * np.sin(2 * x[:, 1]))
    return parted(x, draw.poisson(rate.clip(max=20)).astype(float))


@functools.cache
def tone() -> Data:
    """Times [N, 1] and a chord at each, standardised. [N, 1]"""
    draw = np.random.default_rng(13)
    x = draw.uniform(-2, 2, (1000, 1))
    y = np.sin(3 * x[:, 0]) + 0.5 * np.cos(5 * x[:, 0]) + 0.05 * draw.normal(size=len(x))
    return parted(x, standard(y))


@functools.cache
def yields(units: bool = False) -> Data:
    """Year, rain, warmth and manure [N, 4], standardised or in their units; the harvest. [N, 1]"""
    draw = np.random.default_rng(14)
    x = np.stack(
        [
            draw.integers(1960, 2021, 1400),
            draw.normal(2, 0.5, 1400),
            draw.normal(12, 2, 1400),
            draw.uniform(0, 1, 1400),
        ],
        1,
    )
    z = standard(x)
    y = 0.6 * z[:, 0] + z[:, 1] * z[:, 3] - 0.5 * z[:, 2] ** 2 + 0.1 * draw.normal(size=len(z))
    return parted(x if units else z, standard(y))


@functools.cache
def wide() -> Data:
    """Forty columns of which four matter, and two classes of which one in ten is wrong. [N, 1]"""
    draw = np.random.default_rng(15)
    x = draw.normal(size=(2400, 40))
    y = (x[:, :4].sum(1) + x[:, 0] * x[:, 1] > 0) ^ (draw.uniform(size=len(x)) < 0.1)
    return parted(x, y.astype(float))
