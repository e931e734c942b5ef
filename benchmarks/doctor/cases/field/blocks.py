"""Convolutions and residual blocks, with their norms."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy


class Residual(nn.Module):
    """Blocks that add to what they get."""

    def __init__(self, blocks: int, norm: Callable[[int], nn.Module], saving: bool = False) -> None:
        super().__init__()
        self.into = nn.Conv2d(1, 16, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(norm(16), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1))
            for _ in range(blocks)
        )
        self.out, self.saving = nn.Linear(16, 10), saving

    def forward(self, x: Tensor) -> Tensor:
        x = self.into(x)
        for block in self.blocks:
            x = x + (checkpoint(block, x, use_reentrant=False) if self.saving else block(x))
        answer: Tensor = self.out(F.relu(x).mean((2, 3)))
        return answer


class Functional(nn.Module):
    """Activations, dropout and pooling as functions, log-softmax at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 16, 3), nn.Conv2d(16, 32, 3)
        self.hidden, self.out = nn.Linear(128, 64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.second(F.relu(self.first(x)))), 2)
        x = F.dropout(F.relu(self.hidden(x.flatten(1))), 0.2, self.training)
        return F.log_softmax(self.out(x), dim=1)


def images(
    model: nn.Module, epochs: int, loss_fn: Callable[[Tensor, Tensor], Tensor], lr: float = 3e-3
) -> Trained:
    (x, y), (xv, yv) = data.digits()
    x, xv = x.view(-1, 1, 8, 8), xv.view(-1, 1, 8, 8)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    with ss.watch(model, optimizer) as watch:
        for _ in range(epochs):
            model.train()
            for chosen in batches(len(x), 65, 1):
                descend(watch, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
            model.eval()
            with torch.no_grad():
                watch.valid(loss=loss_fn(model(xv), yv), score=accuracy(model, xv, yv))
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": loss_fn}
    return Trained(watch, accuracy(model, xv, yv), known)


def group_norm(channels: int) -> nn.Module:
    return nn.GroupNorm(4, channels)


CASES = [
    healthy(
        "residual, batch norm",
        lambda: images(Residual(3, nn.BatchNorm2d), 9, F.cross_entropy, 1e-2),
    ),
    healthy(
        "residual, group norm", lambda: images(Residual(3, group_norm), 10, F.cross_entropy, 1e-2)
    ),
    healthy(
        "residual, checkpointed",
        lambda: images(Residual(2, group_norm, saving=True), 10, F.cross_entropy, 1e-2),
    ),
    healthy("functional ending", lambda: images(Functional(), 6, F.nll_loss)),
]
