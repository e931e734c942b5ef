"""The data of the cases, as pairs of tensors for training and validation."""

from __future__ import annotations

import functools

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor

Pair = tuple[Tensor, Tensor]


@functools.cache
def mnist(train: int = 5000, valid: int = 1000, scale: float = 1.0) -> tuple[Pair, Pair]:
    """Digits [N, 784] in 0..1 times `scale`: MNIST where its files are at hand, else scikit-learn's digits made as large."""
    import sevensteps as ss
    from benchmarks.speed.__main__ import SHARED

    try:
        data = ss.data.load("mnist", SHARED if SHARED.is_dir() else None)
    except ss.Error:
        return digits()
    parts = ((part.x.flatten(1) * scale, part.y) for part in (data.train, data.valid))
    (x, y), (xv, yv) = parts
    return (x[:train].clone(), y[:train].clone()), (xv[:valid].clone(), yv[:valid].clone())


@functools.cache
def digits() -> tuple[Pair, Pair]:
    """Digits [N, 64] in 0..1."""
    x, y = datasets.load_digits(return_X_y=True)
    return split(x.astype(np.float32) / 16, y.astype(np.int64), 1300)


@functools.cache
def circle() -> tuple[Pair, Pair]:
    """Two rings [N, 2], targets [N, 1] of 0 and 1."""
    x, y = datasets.make_circles(1000, noise=0.1, random_state=1)
    return split(x.astype(np.float32), y.astype(np.float32)[:, None], 700)


@functools.cache
def blob() -> tuple[Pair, Pair]:
    """Three clouds [N, 2], classes [N]."""
    x, y = datasets.make_blobs(1000, centers=3, cluster_std=2, random_state=2)
    return split(x.astype(np.float32), y.astype(np.int64), 700)


@functools.cache
def table(scaled: bool = True) -> tuple[Pair, Pair]:
    """A regression on columns of very different scales, like a table of cars: targets [N, 1], about 24 ± 8 raw or 0 ± 1 scaled."""
    draw = np.random.default_rng(0)
    n = 390
    cylinders = draw.choice([4.0, 6.0, 8.0], n, p=[0.55, 0.2, 0.25])
    displacement = cylinders * 40 + draw.normal(0, 20, n)
    power = displacement * 0.4 + draw.normal(20, 10, n)
    weight = displacement * 8 + draw.normal(1400, 150, n)
    acceleration, year = draw.normal(15.5, 2.5, n), draw.integers(70, 83, n).astype(float)
    y = 46 - 0.0075 * weight + 0.75 * (year - 76) - 0.02 * power + draw.normal(0, 1.5, n)
    x = np.stack([cylinders, displacement, power, weight, acceleration, year], 1)
    if scaled:
        x, y = (x - x[:300].mean(0)) / x[:300].std(0), (y - y[:300].mean()) / y[:300].std()
    return split(x.astype(np.float32), y.astype(np.float32)[:, None], 300)


def curve(f: str, low: float, high: float, count: int = 200, noise: float = 0.0) -> tuple[Pair, Pair]:
    """y = f(x) for x in low..high, [N, 1] both; every fourth sample judges."""
    x = np.linspace(low, high, count)
    y = {"5x": 5 * x, "x2": 5 * x ** 2, "x4": x ** 4, "sin": np.sin(x), "half": x / 2}[f]
    y = y + np.random.default_rng(0).normal(0, noise, count) if noise else y
    order = np.random.default_rng(1).permutation(count)
    return split(x[order, None].astype(np.float32), y[order, None].astype(np.float32), count * 3 // 4)


def split(x: np.ndarray, y: np.ndarray, count: int) -> tuple[Pair, Pair]:
    """The first `count` samples to train on, the others to judge by."""
    a, b = torch.from_numpy(x), torch.from_numpy(y)
    return (a[:count], b[:count]), (a[count:], b[count:])
