"""The data and the networks of these pairs: drawn tables, sequences, sentences and pictures."""

from __future__ import annotations

import functools

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor, nn

from benchmarks.doctor.data import Data, split


def _parted(x: np.ndarray, y: np.ndarray, share: float = 0.75, scaled: bool = True) -> Data:
    """Training data first; inputs standardised by it, numbers as [N, K], classes as [N]."""
    count = int(share * len(x))
    if scaled:
        x = (x - x[:count].mean(0)) / x[:count].std(0)
    if y.dtype.kind == "f":
        return split(x.astype(np.float32), y.reshape(len(y), -1).astype(np.float32), count)
    return split(x.astype(np.float32), y.astype(np.int64), count)


@functools.cache
def hastie() -> Data:
    """Ten normal columns; 1 where their squares add up to more than 9.34. [N, 1]"""
    x, y = datasets.make_hastie_10_2(2000, random_state=12)
    return _parted(x, (y > 0).astype(float))


@functools.cache
def roll() -> Data:
    """Points of a rolled sheet [N, 3], how far along it each lies, standardised. [N, 1]"""
    x, y = datasets.make_swiss_roll(1000, noise=0.3, random_state=21)
    return _parted(x, (y - y.mean()) / y.std())


@functools.cache
def circuit(inputs_scaled: bool = True, targets_scaled: bool = True) -> Data:
    """Resistance, frequency, inductance, capacity [N, 4], up to 1760; impedance [N, 1], up to
    1700.
    """
    x, y = datasets.make_friedman2(1000, noise=20.0, random_state=8)
    return _parted(x, (y - y.mean()) / y.std() if targets_scaled else y, scaled=inputs_scaled)


@functools.cache
def spirals(arms: int = 3) -> Data:
    """Arms around the origin [N, 2], a class each."""
    draw = np.random.default_rng(14)
    y = draw.integers(0, arms, 1200)
    far = draw.uniform(0.15, 1, len(y))
    turn = 2 * np.pi * y / arms + 4.0 * far
    x = np.stack([far * np.cos(turn), far * np.sin(turn)], 1)
    return _parted(x + 0.03 * draw.normal(size=x.shape), y)


@functools.cache
def topics() -> Data:
    """Counts of twenty words, five labels [N, 5] of which any number holds."""
    x, y = datasets.make_multilabel_classification(
        1200, 20, n_classes=5, n_labels=2, random_state=17
    )
    return _parted(x, y.astype(float))


@functools.cache
def tickets() -> Data:
    """Sixteen columns, four classes of two clusters each."""
    x, y = datasets.make_classification(
        1400,
        16,
        n_informative=8,
        n_redundant=3,
        n_classes=4,
        n_clusters_per_class=2,
        class_sep=1.8,
        flip_y=0.0,
        random_state=23,
    )
    return _parted(x, y)


@functools.cache
def waves() -> Data:
    """Sine, saw and square waves with a phase of their own [N, 20, 1], a class each."""
    draw = np.random.default_rng(31)
    y = draw.integers(0, 3, 1000)
    at = np.arange(20) / 10 + draw.uniform(0, 1, (len(y), 1))
    kinds = np.stack([np.sin(2 * np.pi * at), 2 * (at % 1) - 1, np.where(at % 1 < 0.5, 1.0, -1.0)])
    x = kinds[y, np.arange(len(y))] + 0.1 * draw.normal(size=at.shape)
    return _parted(x[..., None], y, scaled=False)


@functools.cache
def walks() -> Data:
    """Returns of two shares over 14 days [N, 14, 2]; 1 where the first gained more. [N, 1]"""
    draw = np.random.default_rng(37)
    x = draw.normal(size=(1200, 14, 2))
    gain = x.sum(1)
    return _parted(x, (gain[:, 0] > gain[:, 1]).astype(float), scaled=False)


@functools.cache
def sentences() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Eight words of twelve [N, 8]; the class says which of words 0 and 1 comes first."""
    draw = np.random.default_rng(41)
    x = draw.integers(2, 12, (1600, 8))
    y = draw.integers(0, 2, len(x))
    for row, answer in zip(x, y, strict=True):
        early, late = np.sort(draw.choice(8, 2, replace=False))
        row[early], row[late] = answer, 1 - answer
    a, b = torch.from_numpy(x), torch.from_numpy(y)
    return (a[:1200], b[:1200]), (a[1200:], b[1200:])


@functools.cache
def marks() -> Data:
    """A ring, a cross or a bar somewhere in a noisy picture [N, 1, 10, 10], a class each."""
    draw = np.random.default_rng(43)
    ring, cross, bar = np.ones((3, 5, 5))
    ring[1:4, 1:4] = 0
    cross[:] = np.eye(5) + np.eye(5)[::-1]
    bar[:] = 0
    bar[:, 2] = 1
    y = draw.integers(0, 3, 1000)
    x = 0.25 * draw.normal(size=(len(y), 1, 10, 10))
    for picture, kind in zip(x, y, strict=True):
        down, right = draw.integers(0, 6, 2)
        picture[0, down : down + 5, right : right + 5] += (ring, cross, bar)[kind].clip(0, 1)
    return _parted(x, y, scaled=False)


@functools.cache
def baskets() -> Data:
    """Six things with five properties each [N, 6, 5]; the answer is the fourth property of the
    thing whose first one is largest. [N, 1]
    """
    draw = np.random.default_rng(47)
    x = draw.normal(size=(1600, 6, 5))
    y = np.take_along_axis(x[:, :, 3], x[:, :, 0].argmax(1)[:, None], 1)
    return _parted(x, y, scaled=False)


class Listener(nn.Module):
    """A GRU, or another memory, over a sequence and a layer on its last state."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: int = 24,
        kind: type[nn.GRU] | type[nn.LSTM] = nn.GRU,
    ) -> None:
        super().__init__()
        self.memory = kind(inputs, width, batch_first=True)
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.memory(x)
        answer: Tensor = self.head(states[:, -1])
        return answer


class Reader(nn.Module):
    """Words, with or without their places, through self-attention to two classes."""

    def __init__(self, places: bool = True, width: int = 24) -> None:
        super().__init__()
        self.words = nn.Embedding(12, width)
        self.places = nn.Embedding(8, width) if places else None
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.mixed = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 48), nn.ReLU())
        self.head = nn.Linear(48, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.words(x)
        if self.places is not None:
            h = h + self.places(torch.arange(x.shape[1]))
        h = h + self.attention(h, h, h, need_weights=False)[0]
        answer: Tensor = self.head(self.mixed(h).mean(1))
        return answer


class Picker(nn.Module):
    """Attention of one query over the things of a basket, and a number of what it chose."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.keys = nn.Sequential(nn.Linear(5, width), nn.Tanh(), nn.Linear(width, 1))
        self.values = nn.Linear(5, width)
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(width, 1))

    def forward(self, x: Tensor) -> Tensor:
        share = self.keys(x).softmax(1)
        answer: Tensor = self.head((share * self.values(x)).sum(1))
        return answer


def seeing(*channels: int, classes: int = 3) -> nn.Sequential:
    """Convolutions 3×3 with ReLU, the largest answer of each channel, and a linear layer."""
    layers: list[nn.Module] = []
    for inputs, outputs in zip((1, *channels[:-1]), channels, strict=True):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
    return nn.Sequential(
        *layers, nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(4 * channels[-1], classes)
    )
