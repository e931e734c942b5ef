"""Trees whose branches are taken in part, so that a gradient reaches each of them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy, r2


def blocks(count: int) -> tuple[Tensor, Tensor]:
    """Columns within ±1 [N, 5]; four classes by the signs of two of them. [N]"""
    x = 2 * torch.rand(count, 5) - 1
    return x, (x[:, 0] > 0.1).long() + 2 * (x[:, 3] > -0.2).long()


class Tree(nn.Module):
    """A binary tree of depth 3: at each node a line, at each leaf logits."""

    def __init__(self, inputs: int, outputs: int, depth: int = 3) -> None:
        super().__init__()
        self.depth, self.nodes = depth, nn.Linear(inputs, 2**depth - 1)
        self.leaves = nn.Parameter(0.1 * torch.randn(2**depth, outputs))

    def paths(self, x: Tensor) -> Tensor:
        """The share of each sample that comes to each leaf. [B, leaves]"""
        right = torch.sigmoid(3 * self.nodes(x))
        share = torch.ones(len(x), 1)
        for level in range(self.depth):
            here = right[:, 2**level - 1 : 2 ** (level + 1) - 1]
            share = torch.stack([share * (1 - here), share * here], 2).flatten(1)
        return share


class Mixed(Tree):
    """The chances of the leaves, mixed by their shares; their logarithm."""

    def forward(self, x: Tensor) -> Tensor:
        return (self.paths(x) @ self.leaves.softmax(1)).log()


def one_tree() -> Trained:
    x, y = blocks(1600)
    model = Mixed(5, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-2)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(1200, 40, 12):
            path = model.paths(x[rows]).mean(0)
            even = -(path + 1e-6).log().mean()  # every leaf is to be used
            loss = F.nll_loss(model(x[rows]), y[rows]) + 0.01 * even
            descend(watch, optimizer, loss, y[rows])
    return Trained(watch, accuracy(model, x[1200:], y[1200:]))


class Oblivious(nn.Module):
    """Sixteen trees, each of which asks one question at each of its three levels."""

    def __init__(self, inputs: int, trees: int = 16, depth: int = 3) -> None:
        super().__init__()
        self.choice = nn.Parameter(torch.randn(inputs, trees, depth))
        self.border = nn.Parameter(0.5 * torch.randn(trees, depth))
        self.leaves = nn.Parameter(0.1 * torch.randn(trees, 2**depth))

    def forward(self, x: Tensor) -> Tensor:
        column = torch.einsum("bi,itd->btd", x, self.choice.softmax(0))
        right = torch.sigmoid(4 * (column - self.border))
        share = torch.ones(len(x), len(self.leaves), 1)
        for level in range(right.shape[2]):
            here = right[..., level : level + 1]
            share = torch.cat([share * (1 - here), share * here], 2)
        return (share * self.leaves).sum((1, 2))


def many_alike() -> Trained:
    x = 2 * torch.randn(1500, 5)
    y = (x[:, 0] > 0).float() * x[:, 1].clamp(-2, 2) + (x[:, 2] > 1).float()
    model = Oblivious(5)
    optimizer = torch.optim.RAdam(model.parameters(), lr=2e-2)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(1200, 40, 25):
            descend(watch, optimizer, F.mse_loss(model(x[rows]), y[rows]), y[rows])
    known = {"train": (x[:1200], y[:1200]), "valid": (x[1200:], y[1200:])}
    return Trained(watch, r2(model(x[1200:]), y[1200:]), {**known, "loss_fn": F.mse_loss})


class LinearLeaves(Tree):
    """A linear regression at every leaf."""

    def __init__(self, inputs: int) -> None:
        super().__init__(inputs, 1, 2)
        self.linear = nn.Linear(inputs, 4)
        del self.leaves

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = (self.paths(x) * self.linear(x)).sum(1, keepdim=True)
        return answer


def lines_at_the_leaves() -> Trained:
    """A function of two slopes."""
    x = torch.randn(1400, 3)
    y = torch.where(x[:, :1] > 0, 2 * x[:, 1:2], -x[:, 1:2]) + 0.1 * torch.randn(1400, 1)
    model = LinearLeaves(3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(1100, 22, 15):
            descend(watch, optimizer, F.mse_loss(model(x[rows]), y[rows]), y[rows])
    return Trained(watch, r2(model(x[1100:]), y[1100:]))


CASES = [
    healthy("a tree whose leaves are mixed", one_tree),
    healthy("trees with a question a level", many_alike),
    healthy("a tree with lines at its leaves", lines_at_the_leaves),
]
