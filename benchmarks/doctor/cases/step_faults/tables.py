"""The data: scikit-learn's small sets and drawn ones, split at random, inputs standardised where
nothing else is said.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from sklearn import datasets

from benchmarks.doctor.data import Data, split


def _mixed(x: Any, y: Any, share: float = 0.7, scaled: bool = True) -> Data:
    """In an order of their own, float inputs and classes or numbers [N, 1]."""
    order = np.random.default_rng(5).permutation(len(x))
    count = int(share * len(x))
    x, y = np.asarray(x, np.float64)[order], np.asarray(y)[order]
    if scaled:
        x = (x - x[:count].mean(0)) / x[:count].std(0)
    if y.dtype.kind == "f":
        y = y.reshape(len(y), -1).astype(np.float32)
    return split(x.astype(np.float32), y if y.dtype.kind == "f" else y.astype(np.int64), count)


@functools.cache
def wine(scaled: bool = True) -> Data:
    """Thirteen columns [N, 13], three classes; raw, one of the columns is near 750."""
    return _mixed(*datasets.load_wine(return_X_y=True), scaled=scaled)


@functools.cache
def iris() -> Data:
    """Four columns, three classes."""
    return _mixed(*datasets.load_iris(return_X_y=True))


@functools.cache
def cancer(scaled: bool = True) -> Data:
    """Thirty columns, targets [N, 1] of 0 and 1."""
    x, y = datasets.load_breast_cancer(return_X_y=True)
    return _mixed(x, y.astype(float), scaled=scaled)


@functools.cache
def diabetes(scaled: bool = True) -> Data:
    """Ten columns, a number [N, 1]; raw, it lies between 25 and 346."""
    x, y = datasets.load_diabetes(return_X_y=True)
    return _mixed(x, (y - y.mean()) / y.std() if scaled else y)


@functools.cache
def friedman(factor: float = 1.0, offset: float = 0.0) -> Data:
    """Ten columns of which five count, a number [N, 1] of spread `factor` around `offset`."""
    x, y = datasets.make_friedman1(900, noise=0.5, random_state=4)
    return _mixed(x, (y - y.mean()) / y.std() * factor + offset)


@functools.cache
def quantiles(classes: int = 3) -> Data:
    """Shells around the origin [N, 4], a class each."""
    x, y = datasets.make_gaussian_quantiles(
        n_samples=1200, n_features=4, n_classes=classes, random_state=7
    )
    return _mixed(x, y)


@functools.cache
def moons() -> Data:
    """Two half moons [N, 2], targets [N, 1] of 0 and 1."""
    x, y = datasets.make_moons(900, noise=0.15, random_state=11)
    return _mixed(x, y.astype(float))


@functools.cache
def clouds(classes: int = 5, std: float = 1.5) -> Data:
    """Normal clouds [N, 6], a class each."""
    x, y = datasets.make_blobs(
        1200, n_features=6, centers=classes, cluster_std=std, random_state=9, center_box=(-3, 3)
    )
    return _mixed(x, y)


@functools.cache
def several_labels() -> Data:
    """Twelve columns, six labels [N, 6] of which any number holds."""
    draw = np.random.default_rng(3)
    x = draw.normal(size=(1200, 12))
    y = x @ draw.normal(size=(12, 6)) + 0.3 * draw.normal(size=(1200, 6)) > 0
    return _mixed(x, y.astype(float))


@functools.cache
def digits(count: int = 1200) -> Data:
    """scikit-learn's digits [N, 64] in 0..1, ten classes."""
    x, y = datasets.load_digits(return_X_y=True)
    return _mixed(x[:count] / 16, y[:count], scaled=False)


def pictures(count: int = 1200) -> Data:
    """The digits as [N, 1, 8, 8]."""
    (x, y), (xv, yv) = digits(count)
    return (x.view(-1, 1, 8, 8), y), (xv.view(-1, 1, 8, 8), yv)


def ones(count: int = 1200) -> Data:
    """The digits, targets [N, 1]: 1 for an odd one."""
    (x, y), (xv, yv) = digits(count)
    return (x, (y % 2)[:, None].float()), (xv, (yv % 2)[:, None].float())


@functools.cache
def wave(low: float = -3.0, high: float = 3.0, count: int = 300) -> Data:
    """A sine with some noise: [N, 1] to [N, 1], inputs as they are."""
    draw = np.random.default_rng(6)
    x = draw.uniform(low, high, (count, 1))
    return _mixed(x, np.sin(2 * x) + 0.05 * draw.normal(size=x.shape), scaled=False)
