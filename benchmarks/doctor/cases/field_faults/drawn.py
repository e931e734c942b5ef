"""Data drawn from PyTorch's generator."""

from __future__ import annotations

import torch
from torch import Tensor


def clouds(count: int, classes: int, features: int, apart: float = 2.0) -> tuple[Tensor, Tensor]:
    """Normal clouds around a centre for each class: [count, features] and classes [count]."""
    y = torch.randint(classes, (count,))
    return apart * torch.randn(classes, features)[y] + torch.randn(count, features), y


def bent(count: int, features: int = 6) -> tuple[Tensor, Tensor]:
    """Points [count, features] and a smooth function of them [count, 1], of spread 1 or so."""
    x = torch.randn(count, features)
    return x, (torch.sin(2 * x[:, :1]) + x[:, 1:2] * x[:, 2:3] + 0.5 * x[:, 3:4])


def bars(count: int, side: int = 8, noise: float = 0.3) -> tuple[Tensor, Tensor]:
    """Pictures [count, 1, side, side] of a bar: lying, standing, falling or rising."""
    y = torch.randint(4, (count,))
    down, along = torch.arange(side)[:, None], torch.arange(side)[None]
    at = torch.randint(-1, 2, (count, 1, 1))
    middle = side // 2 + at
    shapes = torch.stack(
        [
            (down == middle).expand(-1, side, side),
            (along == middle).expand(-1, side, side),
            down - along == at,
            down + along == side - 1 + at,
        ],
        1,
    )
    return shapes[torch.arange(count), y][:, None] + noise * torch.randn(count, 1, side, side), y


def texts(count: int, length: int, words: int, shortest: int, longest: int) -> Tensor:
    """Tokens 1 … words - 1 of different lengths, filled up at the end with 0: [count, length]."""
    tokens = torch.randint(1, words, (count, length))
    lengths = torch.randint(shortest, longest + 1, (count, 1))
    return tokens * (torch.arange(length) < lengths)


def chains(count: int, length: int, words: int, sure: float = 0.8) -> Tensor:
    """Tokens [count, length], each followed by its own successor with probability `sure`."""
    after = torch.randperm(words)
    tokens = torch.randint(words, (count, length))
    for t in range(1, length):
        follows = torch.rand(count) < sure
        tokens[:, t] = torch.where(follows, after[tokens[:, t - 1]], tokens[:, t])
    return tokens


def waves(count: int, length: int, noise: float = 0.1) -> Tensor:
    """Sines of any pitch and phase with some noise: [count, length]."""
    pitch, phase = 0.2 + 0.6 * torch.rand(count, 1), 6.28 * torch.rand(count, 1)
    return torch.sin(pitch * torch.arange(length) + phase) + noise * torch.randn(count, length)
