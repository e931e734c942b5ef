"""Layers with fewer numbers than their matrices have: products, circles, and one used again."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy, r2
from benchmarks.doctor.data import digits


class Kronecker(nn.Module):
    """The matrix is a Kronecker product: a picture's rows and columns are mixed apart."""

    def __init__(self, side: int, out: int) -> None:
        super().__init__()
        self.left = nn.Parameter(torch.randn(out, side) / math.sqrt(side))
        self.right = nn.Parameter(torch.randn(side, out) / math.sqrt(side))
        self.bias = nn.Parameter(torch.zeros(out, out))

    def forward(self, x: Tensor) -> Tensor:
        return self.left @ x @ self.right + self.bias


def rows_and_columns() -> Trained:
    (x, y), (xv, yv) = digits()
    model = nn.Sequential(
        nn.Unflatten(1, (8, 8)),
        Kronecker(8, 12),
        nn.ReLU(),
        Kronecker(12, 12),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(144, 10),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    with ss.watch(model, optimizer) as watch:
        for rows in batches(len(x), 50, 14):
            descend(watch, optimizer, criterion(model(x[rows]), y[rows]), y[rows])
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": criterion}
    return Trained(watch, accuracy(model, xv, yv), known)


class Circulant(nn.Module):
    """Signs that were drawn once, then a circular convolution with one vector."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.signs: Tensor
        self.register_buffer("signs", torch.sign(torch.randn(width)))
        self.vector = nn.Parameter(torch.randn(width) / math.sqrt(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft(x * self.signs) * torch.fft.rfft(self.vector)
        h: Tensor = torch.fft.irfft(spectrum, n=x.shape[1]) + self.bias
        return h


def circles() -> Trained:
    """Two such layers of 64 numbers, in place of 4,096."""
    (x, y), (xv, yv) = digits()
    x, xv = 4 * x - 1.2, 4 * xv - 1.2
    model = nn.Sequential(
        Circulant(64), nn.LeakyReLU(0.1), Circulant(64), nn.LeakyReLU(0.1), nn.Linear(64, 10)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(len(x), 50, 15):
            descend(watch, optimizer, F.cross_entropy(model(x[rows]), y[rows]), y[rows])
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, xv, yv), known)


class Again(nn.Module):
    """One encoder layer, gone through four times."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.into = nn.Linear(2, width)
        self.layer = nn.TransformerEncoderLayer(
            width, 2, 48, 0.0, batch_first=True, norm_first=True
        )
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.into(x)
        for _ in range(4):
            h = self.layer(h)
        answer: Tensor = self.out(self.norm(h).mean(1))
        return answer


def one_layer_four_times() -> Trained:
    """Eight things with a mark and a number: the mean of the numbers that are marked."""
    marks = (torch.rand(1500, 8) < 0.5).float()
    numbers = torch.randn(1500, 8)
    y = ((marks * numbers).sum(1) / marks.sum(1).clamp(1))[:, None]
    x = torch.stack([marks, numbers], 2)
    model = Again()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(1200, 60, 12):
            descend(watch, optimizer, F.mse_loss(model(x[rows]), y[rows]), y[rows])
    with torch.no_grad():
        score = r2(model.eval()(x[1200:]), y[1200:])
    return Trained(watch, score)


CASES = [
    healthy("rows and columns mixed apart", rows_and_columns),
    healthy("layers that are circles", circles),
    healthy("one encoder layer four times", one_layer_four_times),
]
