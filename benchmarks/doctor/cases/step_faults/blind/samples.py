"""The data and the networks of these pairs: drawn tables, series, sets and pictures."""

from __future__ import annotations

import functools

import numpy as np
import torch
from sklearn.datasets import make_gaussian_quantiles
from torch import Tensor, nn

from benchmarks.doctor.data import Data, split


def _parted(x: np.ndarray, y: np.ndarray, share: float = 0.75) -> Data:
    """Training data first; numbers as [N, K], classes as [N]."""
    count = int(share * len(x))
    if y.dtype.kind == "f":
        return split(x.astype(np.float32), y.reshape(len(y), -1).astype(np.float32), count)
    return split(x.astype(np.float32), y.astype(np.int64), count)


@functools.cache
def shells() -> Data:
    """Four normal columns; three classes, by the distance from 0."""
    x, y = make_gaussian_quantiles(n_samples=1200, n_features=4, n_classes=3, random_state=5)
    return _parted(x, y)


@functools.cache
def hull() -> Data:
    """Length, width, draught and speed of a boat, about 0; its drag, standardised. [N, 1]"""
    draw = np.random.default_rng(71)
    x = draw.uniform(-1.7, 1.7, (1200, 4))
    y = np.exp(0.6 * x[:, 3]) * (1 + 0.5 * x[:, 1]) + np.sin(2 * x[:, 0]) * x[:, 2]
    return _parted(x, (y - y.mean()) / y.std())


@functools.cache
def plates() -> Data:
    """An L, a T, an O or an X somewhere in a noisy picture [N, 1, 9, 9], a class each."""
    draw = np.random.default_rng(73)
    letters = np.zeros((4, 5, 5))
    letters[0, :, 0] = letters[0, 4] = 1
    letters[1, 0] = letters[1, :, 2] = 1
    letters[2, 0] = letters[2, 4] = letters[2, :, 0] = letters[2, :, 4] = 1
    letters[3] = np.clip(np.eye(5) + np.eye(5)[::-1], 0, 1)
    y = draw.integers(0, 4, 1000)
    x = 0.2 * draw.normal(size=(len(y), 1, 9, 9))
    for picture, kind in zip(x, y, strict=True):
        down, right = draw.integers(0, 5, 2)
        picture[0, down : down + 5, right : right + 5] += letters[kind]
    return _parted(x, y)


@functools.cache
def melodies() -> Data:
    """Nine notes [N, 9, 1] about 0; a class says whether they rise, fall, or turn once."""
    draw = np.random.default_rng(79)
    y = draw.integers(0, 3, 1200)
    line = np.linspace(-1, 1, 9)
    shapes = np.stack([line, -line, 1 - 2 * np.abs(line)])
    x = shapes[y] * draw.uniform(0.6, 1.4, (len(y), 1)) + 0.35 * draw.normal(size=(len(y), 9))
    return _parted(x[..., None], y)


@functools.cache
def strolls() -> Data:
    """Twelve steps in the plane [N, 12, 2]; how far from the start they lead, standardised."""
    draw = np.random.default_rng(83)
    x = draw.normal(size=(1400, 12, 2)) + 0.5 * draw.normal(size=(1400, 1, 2))
    y = np.sqrt((x.sum(1) ** 2).sum(1))
    return _parted(x, (y - y.mean()) / y.std())


@functools.cache
def auctions() -> Data:
    """Six offers with a bid and a weight each [N, 6, 3]; the weight of those who bid most. [N, 1]

    The third column is noise.
    """
    draw = np.random.default_rng(89)
    x = draw.normal(size=(1600, 6, 3))
    share = np.exp(8 * x[:, :, 0])
    y = (share * x[:, :, 1]).sum(1) / share.sum(1)
    return _parted(x, y)


@functools.cache
def orders() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Seven words of ten [N, 7]; the class is that of the word after the word 0, by its half."""
    draw = np.random.default_rng(97)
    x = draw.integers(1, 10, (1800, 7))
    at = draw.integers(0, 6, len(x))
    rows = np.arange(len(x))
    x[rows, at] = 0
    a, b = torch.from_numpy(x), torch.from_numpy((x[rows, at + 1] > 5).astype(np.int64))
    return (a[:1400], b[:1400]), (a[1400:], b[1400:])


class Ear(nn.Module):
    """A memory over a series, and a layer on its last state. [B, T, F] -> [B, K]"""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: int = 20,
        kind: type[nn.GRU] | type[nn.LSTM] | type[nn.RNN] = nn.GRU,
    ) -> None:
        super().__init__()
        self.memory = kind(inputs, width, batch_first=True)
        self.answer = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.memory(x)
        answer: Tensor = self.answer(states[:, -1])
        return answer


class Bidders(nn.Module):
    """Self-attention over the offers of an auction, and a number of their mean."""

    def __init__(self, width: int = 16, batch_first: bool = True) -> None:
        super().__init__()
        self.into = nn.Linear(3, width)
        self.layer = nn.TransformerEncoderLayer(width, 2, 32, 0.0, batch_first=batch_first)
        self.out = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.out(self.layer(self.into(x)).mean(1))
        return answer


class Clerk(nn.Module):
    """Words and their places, pairs of neighbours, attention to what matters. [B, 7] -> [B, 2]"""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(10, width), nn.Embedding(7, width)
        self.query = nn.Parameter(torch.randn(width) / width**0.5)
        self.pair = nn.Linear(2 * width, width)
        self.head = nn.Linear(width, 2)

    def embedded(self, x: Tensor) -> Tensor:
        words: Tensor = self.words(x) + self.places(torch.arange(x.shape[1]))
        return words

    def forward(self, x: Tensor) -> Tensor:
        h = self.embedded(x)
        pairs = torch.cat([h[:, :-1], h[:, 1:]], 2)
        h = torch.relu(self.pair(pairs))
        share = (h @ self.query).softmax(1)
        answer: Tensor = self.head((share[..., None] * h).sum(1))
        return answer


def glance(
    *channels: int, outputs: int = 4, activation: type[nn.Module] = nn.ReLU
) -> nn.Sequential:
    """Convolutions 3×3 of a picture, the largest answers of four quarters, and a linear layer."""
    layers: list[nn.Module] = []
    for inputs, width in zip((1, *channels[:-1]), channels, strict=True):
        layers += [nn.Conv2d(inputs, width, 3, padding=1), activation()]
    return nn.Sequential(
        *layers, nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(4 * channels[-1], outputs)
    )
