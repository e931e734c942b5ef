"""Small data and the networks that learn it: dense, convolutional, recurrent and attentive."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.doctor.data import Data


def parted(x: Tensor, y: Tensor, count: int) -> Data:
    """The first `count` to train on, the others to judge by."""
    return (x[:count], y[:count]), (x[count:], y[count:])


def shapes(count: int = 900, noise: float = 0.4) -> Data:
    """A cross, a frame, a slope or a bar, somewhere: [N, 1, 10, 10], [N]"""
    stamps = torch.zeros(4, 5, 5)
    stamps[0, 2], stamps[0, :, 2] = 1, 1
    stamps[1] = 1
    stamps[1, 1:4, 1:4] = 0
    stamps[2] = torch.eye(5)
    stamps[3, :, 1:3] = 1
    kind, images = torch.randint(4, (count,)), noise * torch.randn(count, 1, 10, 10)
    for image, k, row, column in zip(
        images, kind, torch.randint(6, (count,)), torch.randint(6, (count,)), strict=True
    ):
        image[0, row : row + 5, column : column + 5] += stamps[k]
    return parted(images, kind, int(0.75 * count))


def beats(count: int = 900) -> Data:
    """A wave of one of three speeds, in any phase: [N, 20, 1], [N]"""
    kind = torch.randint(3, (count,))
    speed = torch.tensor([0.4, 0.9, 1.6])[kind][:, None]
    wave = torch.sin(speed * torch.arange(20.0) + 6.28 * torch.rand(count, 1))
    return parted((1.4 * wave + 0.2 * torch.randn(count, 20))[..., None], kind, int(0.75 * count))


def letters(count: int = 1000, length: int = 8) -> Data:
    """Does letter 1 come before letter 2? Both are in each word once: [N, length], [N]"""
    words = torch.randint(3, 12, (count, length))
    place = torch.rand(count, length).argsort(1)[:, :2]
    words.scatter_(1, place, torch.tensor([[1, 2]]).expand(count, 2))
    return parted(words, (place[:, 0] < place[:, 1]).long(), int(0.75 * count))


def surface(count: int = 900) -> Data:
    """[N, 4], [N, 1]"""
    x = torch.randn(count, 4)
    y = x[:, :1] * x[:, 1:2] + torch.sin(2 * x[:, 2:3]) + 0.1 * torch.randn(count, 1)
    return parted(x, (y - y.mean()) / y.std(), int(0.75 * count))


def rings(count: int = 900) -> Data:
    """Three rings, one within the other: [N, 2], [N]"""
    kind, angle = torch.randint(3, (count,)), 6.28 * torch.rand(count)
    radius = 0.5 + 0.6 * kind + 0.08 * torch.randn(count)
    x = radius[:, None] * torch.stack([angle.cos(), angle.sin()], 1)
    return parted(1.2 * x, kind, int(0.75 * count))


class Eye(nn.Module):
    """Two convolutions, the largest of each map: [B, 1, H, W] -> [B, kinds]"""

    def __init__(self, kinds: int = 4, width: int = 16) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 5, padding=2)
        self.conv2 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.fc = nn.Linear(2 * width, kinds)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv1(x))
        x = torch.relu(self.conv2(x))
        out: Tensor = self.fc(x.amax((2, 3)))
        return out


class Ear(nn.Module):
    """The state of a GRU at one place of a sequence: [B, T, 1] -> [B, kinds]"""

    def __init__(self, kinds: int = 3, place: int = -1, layers: int = 1) -> None:
        super().__init__()
        self.gru = nn.GRU(1, 24, layers, batch_first=True)
        self.fc = nn.Linear(24, kinds)
        self.place = place

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.gru(x)
        out: Tensor = self.fc(states[:, self.place])
        return out


class Reader(nn.Module):
    """Letters and places through one block of attention: [B, T] -> [B, 2]"""

    def __init__(self, dropout: float = 0.0, fixed: bool = False, width: int = 24) -> None:
        super().__init__()
        self.letters, self.places = nn.Embedding(12, width), nn.Embedding(16, width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 48), nn.ReLU(), nn.Linear(48, width))
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(width, 2)
        self.fixed = fixed

    def body(self, word: Tensor) -> Tensor:
        h = self.drop(self.letters(word) + self.places(torch.arange(word.shape[1])))
        n = self.norm1(h)
        h = h + self.drop(self.attention(n, n, n, need_weights=False)[0])
        return (h + self.drop(self.mlp(self.norm2(h)))).mean(1)

    def forward(self, word: Tensor) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.fixed):
            h = self.body(word)
        out: Tensor = self.out(h)
        return out
