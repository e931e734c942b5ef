"""The data: drawn ones of scikit-learn and of NumPy, split at random, inputs standardised where
nothing else is said.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor, nn

from benchmarks.doctor.data import Data, split


def _split(x: Any, y: Any, scaled: bool = True, share: float = 0.75) -> Data:
    order = np.random.default_rng(21).permutation(len(x))
    count = int(share * len(x))
    x, y = np.asarray(x, np.float32)[order], np.asarray(y)[order]
    if scaled:
        x = (x - x[:count].mean(0)) / (x[:count].std(0) + 1e-8)
    if y.dtype.kind == "f":
        y = y.reshape(len(y), -1).astype(np.float32)
    return split(x, y if y.dtype.kind == "f" else y.astype(np.int64), count)


@functools.cache
def factors(rows: int = 1200) -> Data:
    """Fifteen columns [N, 15] of which eight count, four classes."""
    x, y = datasets.make_classification(
        rows,
        15,
        n_informative=8,
        n_redundant=3,
        n_classes=4,
        n_clusters_per_class=1,
        class_sep=1.4,
        random_state=13,
    )
    return _split(x, y)


@functools.cache
def hastie(rows: int = 1600) -> Data:
    """Ten columns, targets [N, 1]: 1 where they are long together."""
    x, y = datasets.make_hastie_10_2(rows, random_state=17)
    return _split(x, (y > 0).astype(float))


@functools.cache
def roll(scaled: bool = True) -> Data:
    """Points of a rolled sheet [N, 3], how far they are along it [N, 1]."""
    x, t = datasets.make_swiss_roll(1000, noise=0.2, random_state=19)
    return _split(x, (t - t.mean()) / t.std(), scaled)


@functools.cache
def resistance(scaled: bool = True, raw_target: bool = False) -> Data:
    """Four columns, raw from 0 … 1 to 126 … 1759, and a number [N, 1], raw about 480 ± 380."""
    x, y = datasets.make_friedman2(900, noise=5.0, random_state=23)
    return _split(x, y if raw_target else (y - y.mean()) / y.std(), scaled)


@functools.cache
def phase() -> Data:
    """Four columns, an angle [N, 1] of about 1.3 ± .3."""
    x, y = datasets.make_friedman3(900, noise=0.02, random_state=29)
    return _split(x, y)


@functools.cache
def sparse() -> Data:
    """Ten columns of which four count, linearly, a number [N, 1]."""
    x, y = datasets.make_sparse_uncorrelated(900, random_state=31)
    return _split(x, y / y.std())


@functools.cache
def rings() -> Data:
    """Points [N, 2] of three rings, a class each."""
    draw = np.random.default_rng(37)
    y = draw.integers(0, 3, 900)
    angle, radius = draw.uniform(0, 2 * np.pi, 900), y + 0.6 + 0.12 * draw.normal(size=900)
    return _split(np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1), y)


@functools.cache
def spirals() -> Data:
    """Points [N, 2] of two arms, targets [N, 1] of 0 and 1."""
    draw = np.random.default_rng(41)
    y = draw.integers(0, 2, 1000)
    t = np.sqrt(draw.uniform(0.03, 1, 1000)) * 2.2 * np.pi
    x = np.stack([t * np.cos(t + np.pi * y), t * np.sin(t + np.pi * y)], 1)
    return _split(x + 0.15 * draw.normal(size=x.shape), y.astype(float))


@functools.cache
def tags() -> Data:
    """Counts of twenty words [N, 20], five labels [N, 5] of which any number holds."""
    x, y = datasets.make_multilabel_classification(
        1200, 20, n_classes=5, n_labels=2, length=60, random_state=43
    )
    return _split(x, y.astype(float))


@functools.cache
def signals(rows: int = 800) -> Data:
    """Curves [N, 1, 32] of four kinds: sine, square, saw, noise around a step."""
    draw = np.random.default_rng(47)
    y = draw.integers(0, 4, rows)
    t = np.arange(32) / 32
    turns, start = draw.uniform(1.5, 4, (rows, 1)), draw.uniform(0, 1, (rows, 1))
    at = (turns * t + start) % 1
    kinds = np.stack(
        [np.sin(2 * np.pi * at), np.sign(at - 0.5), 2 * at - 1, np.where(t > start, 1.0, -1.0)]
    )
    x = kinds[y, np.arange(rows)] + 0.25 * draw.normal(size=(rows, 32))
    return _split(x[:, None], y, scaled=False)


@functools.cache
def shapes(rows: int = 900) -> Data:
    """Pictures [N, 1, 12, 12] of a square, a cross, a frame or a slash, anywhere."""
    draw = np.random.default_rng(53)
    square, cross, frame, slash = (np.zeros((5, 5)) for _ in range(4))
    square[1:4, 1:4] = 1
    cross[2], cross[:, 2] = 1, 1
    frame[[0, 4]], frame[:, [0, 4]] = 1, 1
    slash[np.arange(5), 4 - np.arange(5)] = 1
    y = draw.integers(0, 4, rows)
    x = 0.3 * draw.normal(size=(rows, 1, 12, 12))
    for i, kind in enumerate(y):
        down, right = draw.integers(0, 8, 2)
        x[i, 0, down : down + 5, right : right + 5] += (square, cross, frame, slash)[kind]
    return _split(x, y, scaled=False)


@functools.cache
def sensors(rows: int = 1600) -> Data:
    """Eighteen readings [N, 18] of three states, each with its own correlations."""
    draw = np.random.default_rng(59)
    y = draw.integers(0, 3, rows)
    mixing, centre = draw.normal(size=(3, 18, 18)) / 4, 0.3 * draw.normal(size=(3, 18))
    x = np.einsum("nij,nj->ni", mixing[y], draw.normal(size=(rows, 18))) + centre[y]
    return _split(x + 0.3 * draw.normal(size=x.shape), y)


def conv1d(*channels: int, classes: int = 4, norm: bool = False) -> nn.Sequential:
    """Convolutions along a signal [N, 1, 32], the mean over time, a linear layer."""
    layers: list[nn.Module] = []
    before = 1
    for width in channels:
        layers.append(nn.Conv1d(before, width, 5, padding=2))
        layers += [nn.BatchNorm1d(width), nn.ReLU()] if norm else [nn.ReLU()]
        before = width
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(4 * before, classes)
    )


def conv2d(*channels: int, classes: int = 4, norm: bool = False) -> nn.Sequential:
    """Convolutions on [N, 1, 12, 12], the largest of each 3×3, a linear layer."""
    layers: list[nn.Module] = []
    before = 1
    for width in channels:
        layers.append(nn.Conv2d(before, width, 3, padding=1))
        layers += [nn.BatchNorm2d(width), nn.SiLU()] if norm else [nn.SiLU()]
        before = width
    return nn.Sequential(*layers, nn.MaxPool2d(3), nn.Flatten(), nn.Linear(16 * before, classes))


class Skips(nn.Module):
    """Blocks x + relu(W norm(x)) between two linear layers."""

    def __init__(self, inputs: int, width: int, outputs: int, blocks: int = 2) -> None:
        super().__init__()
        self.enter = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU())
            for _ in range(blocks)
        )
        self.leave = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        h = self.enter(x)
        for block in self.blocks:
            h = h + block(h)
        return self.leave(h)


def each_weight(network: nn.Module, start: Any, bias: float | None = None) -> nn.Module:
    """`network`, each weight of its layers filled by `start`, each bias with a number."""
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
                if start is not None:
                    start(layer.weight)
                if bias is not None and layer.bias is not None:
                    layer.bias.fill_(bias)
    return network
