"""The data: drawn tables, shapes, signals and strings, and what scikit-learn brings along. A pair
for training and one to judge by, the inputs standardised where nothing else is said.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor

from benchmarks.doctor.data import Data, split


def _data(x: Any, y: Any, count: int, scaled: bool = True) -> Data:
    """Float inputs, and classes [N] or numbers [N, outputs]."""
    x, y = np.asarray(x, np.float64), np.asarray(y)
    if scaled:
        x = (x - x[:count].mean(0)) / x[:count].std(0)
    y = y.reshape(len(y), -1).astype(np.float32) if y.dtype.kind == "f" else y.astype(np.int64)
    return split(x.astype(np.float32), y, count)


@functools.cache
def spirals(arms: int = 3) -> Data:
    """Arms that wind around the origin [N, 2], a class each: 900 and 300."""
    draw = np.random.default_rng(21)
    radius, y = draw.uniform(0.2, 1, 1200), draw.integers(0, arms, 1200)
    angle = 4 * radius + y * 2 * np.pi / arms + draw.normal(0, 0.12, 1200)
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    return _data(x, y, 900)


@functools.cache
def hastie() -> Data:
    """Ten columns, targets [N, 1]: 1 where the squares add up to more than usual: 1500 and 500."""
    x, y = datasets.make_hastie_10_2(2000, random_state=8)
    return _data(x, (y > 0).astype(float), 1500)


@functools.cache
def arm() -> Data:
    """How far a robot arm of four joints reaches: angles [N, 4] to a number [N, 1]: 900, 300."""
    draw = np.random.default_rng(22)
    angles = draw.uniform(-1.6, 1.6, (1200, 4))
    turned = angles.cumsum(1)
    lengths = np.array([1.0, 0.8, 0.6, 0.4])
    reach = np.hypot((lengths * np.cos(turned)).sum(1), (lengths * np.sin(turned)).sum(1))
    return _data(angles, (reach - reach.mean()) / reach.std(), 900)


@functools.cache
def flats(scaled: bool = True, priced: bool = False) -> Data:
    """Area, rooms, year, distance in metres and floor of a flat [N, 5], and its rent [N, 1]: 700,
    300. `priced`: in euros a month, else standardised.
    """
    draw = np.random.default_rng(23)
    area = draw.gamma(6, 12, 1000) + 15
    rooms = np.clip(np.round(area / 25 + draw.normal(0, 0.5, 1000)), 1, 7)
    year, floor = draw.integers(1890, 2024, 1000), draw.integers(0, 9, 1000)
    metres = draw.gamma(2, 2500, 1000)
    rent = area * (9 + 9 * np.exp(-metres / 4000)) + 2 * (year > 2000) * area + 6 * floor
    rent = rent + draw.normal(0, 25, 1000)
    if not priced:
        rent = (rent - rent[:700].mean()) / rent[:700].std()
    return _data(np.stack([area, rooms, year, metres, floor], 1), rent, 700, scaled)


@functools.cache
def circuit(scaled: bool = True) -> Data:
    """Friedman's second: four columns, one of them near 1000, and an impedance near 500 [N, 1];
    the inputs are standardised, the target if `scaled`: 900 and 300.
    """
    x, y = datasets.make_friedman2(1200, noise=20.0, random_state=9)
    return _data(x, (y - y.mean()) / y.std() if scaled else y, 900)


@functools.cache
def genes(classes: int = 4, noise: float = 0.0) -> Data:
    """Twenty columns of which eight count, in groups [N]; a share `noise` of the training classes
    is wrong: 900 and 300.
    """
    x, y = datasets.make_classification(
        1200, 20, n_informative=8, n_redundant=4, n_classes=classes, class_sep=1.6, random_state=6
    )
    draw = np.random.default_rng(24)
    wrong = (draw.uniform(size=1200) < noise) & (np.arange(1200) < 900)
    y = np.where(wrong, (y + draw.integers(1, classes, 1200)) % classes, y)
    return _data(x, y, 900)


@functools.cache
def tags() -> Data:
    """Sixteen columns, five labels [N, 5], most of them on: 900 and 300."""
    draw = np.random.default_rng(25)
    x = draw.normal(size=(1200, 16))
    score = np.tanh(x @ draw.normal(size=(16, 8))) @ draw.normal(size=(8, 5)) + 0.8
    return _data(x, (score > 0).astype(float), 900)


@functools.cache
def rare(share: float = 0.04) -> Data:
    """Eight columns, targets [N, 1] of which few are 1, and where they are: 2000 and 1000."""
    draw = np.random.default_rng(26)
    x = draw.normal(size=(3000, 8))
    odds = x[:, 0] * x[:, 1] + x[:, 2] - 0.5 * x[:, 3] ** 2 + draw.normal(0, 0.7, 3000)
    return _data(x, (odds > np.quantile(odds, 1 - share)).astype(float), 2000)


@functools.cache
def shapes(side: int = 12, factor: float = 1.0) -> Data:
    """A square, an upright cross, a lying one or a corner, nine pixels each, somewhere in noise,
    [N, 1, side, side] in 0..1 times `factor`: 800 and 300.
    """
    draw = np.random.default_rng(27)
    x, y = draw.uniform(0, 0.25, (1100, side, side)), draw.integers(0, 4, 1100)
    square, cross, corner = (np.zeros((5, 5)) for _ in range(3))
    square[1:4, 1:4], cross[2], cross[:, 2], corner[0], corner[:, 0] = 1, 1, 1, 1, 1
    lying = np.maximum(np.eye(5), np.eye(5)[::-1])
    for i, kind in enumerate(y):
        down, right = draw.integers(0, side - 4, 2)
        x[i, down : down + 5, right : right + 5] += 0.7 * (square, cross, lying, corner)[kind]
    return _data(factor * x[:, None], y, 800, scaled=False)


@functools.cache
def signals(length: int = 40) -> Data:
    """Sines, squares, saws and triangles of any phase and of a period near 16, with noise
    [N, 1, length]: 800 and 300.
    """
    draw = np.random.default_rng(28)
    y = draw.integers(0, 4, 1100)
    period, phase = draw.uniform(12, 20, (1100, 1)), draw.uniform(size=(1100, 1))
    at = (np.arange(length) / period + phase) % 1
    kinds = np.stack(
        [np.sin(2 * np.pi * at), np.sign(at - 0.5), 2 * at - 1, 4 * np.abs(at - 0.5) - 1]
    )
    x = kinds[y, np.arange(1100)] + draw.normal(0, 0.25, (1100, length))
    return _data(x[:, None], y, 800, scaled=False)


@functools.cache
def movements(length: int = 24) -> Data:
    """Three channels of a sensor in time [N, length, 3]: which of them leads the two others, which
    do the same later: 800 and 300.
    """
    draw = np.random.default_rng(29)
    y = draw.integers(0, 3, 1100)
    own = draw.normal(size=(1100, length + 2)).cumsum(1) * 0.7
    own = own - own.mean(1, keepdims=True)
    x = np.repeat(own[:, None, :length], 3, 1)
    x[np.arange(1100), y] = own[:, 2:]
    x = x.transpose(0, 2, 1) + draw.normal(0, 0.1, (1100, length, 3))
    return _data(x, y, 800, scaled=False)


@functools.cache
def commands(length: int = 10) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Strings of eight letters [N, length]: whether `1` comes before `2`, both of which are there
    once [N]: 1200 and 400.
    """
    draw = torch.Generator().manual_seed(30)
    x = torch.randint(3, 8, (1600, length), generator=draw)
    y = torch.randint(0, 2, (1600,), generator=draw)
    for i in range(1600):
        first, second = torch.randperm(length, generator=draw)[:2].sort().values
        x[i, first], x[i, second] = (1, 2) if y[i] else (2, 1)
    return (x[:1200], y[:1200]), (x[1200:], y[1200:])


@functools.cache
def remembered(length: int = 30) -> Data:
    """A first value of one of four kinds, then noise [N, length, 2]: which it was: 1000 and 300."""
    draw = np.random.default_rng(31)
    y = draw.integers(0, 4, 1300)
    x = draw.normal(0, 0.3, (1300, length, 2))
    x[:, 0] += 2 * np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])[y]
    return _data(x, y, 1000, scaled=False)


@functools.cache
def load(window: int = 24) -> Data:
    """Hours of a network's load [N, window, 1], and the next one [N, 1]: 900 and 300."""
    draw = np.random.default_rng(32)
    t = np.arange(1200 + window)
    day = np.sin(2 * np.pi * t / 24) + 0.5 * np.sin(4 * np.pi * t / 24 + 1)
    week = 0.5 * np.sin(2 * np.pi * t / 168)
    wander = np.convolve(draw.normal(size=len(t)), 0.8 ** np.arange(20))[: len(t)]
    series = (day + week + 0.2 * wander) / 1.1
    x = np.stack([series[i : i + window] for i in range(1200)])
    return _data(x[:, :, None], series[window:], 900, scaled=False)


@functools.cache
def digits(factor: float = 1.0) -> Data:
    """scikit-learn's digits [N, 64] in 0..1 times `factor`: 1200 and 500."""
    x, y = datasets.load_digits(return_X_y=True)
    order = np.random.default_rng(33).permutation(len(x))[:1700]
    return _data(x[order] / 16 * factor, y[order], 1200, scaled=False)


@functools.cache
def wine(scaled: bool = True) -> Data:
    """Thirteen columns, three classes: 120 and 58."""
    x, y = datasets.load_wine(return_X_y=True)
    order = np.random.default_rng(34).permutation(len(x))
    return _data(x[order], y[order], 120, scaled)


@functools.cache
def tumours(scaled: bool = True) -> Data:
    """Thirty columns, targets [N, 1] of 0 and 1: 400 and 169."""
    x, y = datasets.load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(35).permutation(len(x))
    return _data(x[order], y[order].astype(float), 400, scaled)


def part(data: Data, count: int) -> Data:
    """The first `count` of the training samples."""
    (x, y), valid = data
    return (x[:count], y[:count]), valid
