"""The networks of the cases in PyTorch, for every contestant that trains an nn.Module, and batches
by index.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.speed.cases import Case
from benchmarks.speed.trial import Trial

# samples of a batch of the test part, where a framework's user would choose it
EVALUATED_AT_ONCE = 1000


class Digits(nn.Module):
    """A network as a user writes it: layers as attributes, and a forward of its own."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(784, width)
        self.output = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(torch.relu(self.hidden(x.flatten(1))))


def network(case: Case) -> nn.Module:
    """The network of `case` with PyTorch's own initial parameters, drawn from the global
    generator.
    """
    if case.module:
        return Digits(*case.widths)
    layers: list[nn.Module] = []
    if case.channels:
        side, inputs = 28, 1
        for channels in case.channels:
            layers += [nn.Conv2d(inputs, channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
            side, inputs = side // 2, channels
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs * side * side, 10))
    inputs = 784
    for width in case.widths:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, 10))


def data_loader(
    x: Tensor, y: Tensor, size: int, shuffle: bool = True
) -> DataLoader[tuple[Tensor, ...]]:
    """Batches as the documentation of PyTorch and of every framework on it shows them."""
    return DataLoader(TensorDataset(x, y), batch_size=size, shuffle=shuffle)


class IndexBatches:
    """Shuffled batches cut from whole tensors by index: quicker than a DataLoader, which collects
    single samples.

    The frameworks take it in place of a DataLoader, though their documentation does not lead there:
    the contestants `…_index`."""

    def __init__(self, x: Tensor, y: Tensor, size: int) -> None:
        self.x, self.y, self.size = x, y, size

    def __len__(self) -> int:
        return -(-len(self.x) // self.size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for index in torch.randperm(len(self.x)).split(self.size):
            yield self.x[index], self.y[index]


@torch.no_grad()
def accuracy(trial: Trial, model: nn.Module) -> float:
    """Of `model` on the test part."""
    return trial.accuracy(model.eval()(torch.from_numpy(trial.x_test)).numpy())
