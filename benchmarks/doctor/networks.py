"""Networks of the cases, and their parts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def dense(
    *sizes: int,
    activation: Callable[[], nn.Module] = nn.ReLU,
    end: nn.Module | None = None,
    start: Callable[[Tensor], object] | None = None,
) -> nn.Sequential:
    """Linear layers of these sizes with an activation between; `start` fills the weights, biases
    are then 0.
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), activation()]
    layers.pop()
    network = nn.Sequential(*layers, *([end] if end is not None else []))
    if start is not None:
        for layer in network:
            if isinstance(layer, nn.Linear):
                with torch.no_grad():
                    start(layer.weight)
                    layer.bias.zero_()
    return network


def he(weight: Tensor) -> None:
    """Uniform with variance 2 / inputs."""
    nn.init.kaiming_uniform_(weight, nonlinearity="relu")


def small(weight: Tensor) -> None:
    """Uniform within .05."""
    nn.init.uniform_(weight, -0.05, 0.05)


def constant(value: float) -> Callable[[Tensor], object]:
    """All weights alike."""
    return lambda weight: nn.init.constant_(weight, value)


class Exponential(nn.Module):
    """x -> exp(x)"""

    def forward(self, x: Tensor) -> Tensor:
        return x.exp()


class Images(nn.Module):
    """[B, 784] -> [B, 1, 28, 28], as a convolution takes them."""

    def forward(self, x: Tensor) -> Tensor:
        side = int(x.shape[1] ** 0.5)
        return x.view(len(x), 1, side, side)


def convolutional(
    *channels: int,
    side: int = 28,
    norm: bool = False,
    dropout: float = 0.0,
    end: nn.Module | None = None,
) -> nn.Sequential:
    """3×3 convolutions with ReLU and 2×2 max pooling, then a linear layer to 10 classes."""
    layers: list[nn.Module] = [Images()]
    inputs = 1
    for width in channels:
        layers += [
            nn.Conv2d(inputs, width, 3, padding=1),
            *([nn.BatchNorm2d(width)] if norm else []),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
        inputs, side = width, side // 2
    layers += [
        nn.Flatten(),
        *([nn.Dropout(dropout)] if dropout else []),
        nn.Linear(inputs * side * side, 10),
    ]
    return nn.Sequential(*layers, *([end] if end is not None else []))


class Functional(nn.Module):
    """784-128-10 as many write it: layers as attributes, the activation as a function."""

    def __init__(self, inputs: int = 784, width: int = 128) -> None:
        super().__init__()
        self.first, self.second, self.third = (
            nn.Linear(inputs, width),
            nn.Linear(width, 64),
            nn.Linear(64, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.third(F.relu(self.second(F.relu(self.first(x)))))


class Transformer(nn.Module):
    """Rows of an image as a sequence through one encoder layer: [B, side²] -> [B, 10]"""

    def __init__(self, side: int = 8, width: int = 32, layers: int = 1) -> None:
        super().__init__()
        self.side = side
        self.embed = nn.Linear(side, width)
        self.position = nn.Parameter(torch.randn(side, width) * 0.02)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 4, 64, dropout=0.1, batch_first=True)
            for _ in range(layers)
        )
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        h = self.embed(x.view(len(x), self.side, self.side)) + self.position
        for layer in self.layers:
            h = layer(h)
        return self.head(h.mean(1))


class Recurrent(nn.Module):
    """Rows of an image through an LSTM or GRU: [B, side²] -> [B, 10]"""

    def __init__(self, kind: type[nn.Module] = nn.LSTM, side: int = 8, width: int = 32) -> None:
        super().__init__()
        self.side = side
        self.memory = kind(side, width, batch_first=True)
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.memory(x.view(len(x), self.side, self.side))[0][:, -1])


class Residual(nn.Module):
    """Blocks x + W₂ relu(W₁ norm(x)), the second matrix of each starting at 0: [B, inputs] -> [B,
    10]
    """

    def __init__(self, inputs: int = 64, width: int = 64, blocks: int = 6) -> None:
        super().__init__()
        self.into = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)
            )
            for _ in range(blocks)
        )
        for block in self.blocks:
            nn.init.zeros_(block[3].weight)
        self.out = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.into(x)
        for block in self.blocks:
            x = x + block(x)
        return self.out(x)
