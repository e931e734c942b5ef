"""Targets that network or data make themselves: a slow copy, hidden parts, turned images."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.metric_learning import nearest_neighbour
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy
from benchmarks.doctor.networks import dense


def view(x: Tensor) -> Tensor:
    return x * (torch.rand(x.shape) > 0.15) + 0.1 * torch.randn(x.shape)


def slow_copy() -> Trained:
    """BYOL: one view predicts what a slowly moving copy makes of the other."""
    (x, _), _ = data.digits()

    class Online(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Sequential(
                nn.Linear(64, 96), nn.BatchNorm1d(96), nn.ReLU(), nn.Linear(96, 32)
            )
            self.predictor = nn.Sequential(
                nn.Linear(32, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 32)
            )

        def forward(self, x: Tensor) -> Tensor:
            answer: Tensor = self.predictor(self.encoder(x))
            return answer

    online = Online()
    slow = copy.deepcopy(online.encoder).requires_grad_(False)
    optimizer = torch.optim.Adam(online.parameters(), lr=2e-3)
    with ss.watch(online, optimizer) as watch:
        for chosen in batches(len(x), 100, 15):
            first, second = view(x[chosen]), view(x[chosen])
            loss = torch.zeros(())
            for here, there in ((first, second), (second, first)):
                with torch.no_grad():
                    aim = F.normalize(slow(there))
                loss = loss + 2 - 2 * (F.normalize(online(here)) * aim).sum(1).mean()
            descend(watch, optimizer, loss)
            with torch.no_grad():
                for p, q in zip(slow.parameters(), online.encoder.parameters(), strict=True):
                    p.lerp_(q, 0.02)
    return Trained(watch, nearest_neighbour(online.encoder))


def hidden_patches() -> Trained:
    """A masked autoencoder: the loss is on the pixels that were hidden."""
    (x, _), (xv, _) = data.digits()
    model = dense(128, 128, 128, 64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)

    def hide(x: Tensor) -> tuple[Tensor, Tensor]:
        shown = (torch.rand(len(x), 16) > 0.4).float()
        shown = shown.view(-1, 4, 4).repeat_interleave(2, 1).repeat_interleave(2, 2).flatten(1)
        return torch.cat([x * shown, shown], 1), 1 - shown

    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 16):
            partial, hidden = hide(x[chosen])
            error = (model(partial) - x[chosen]).square()
            descend(watch, optimizer, (error * hidden).sum() / hidden.sum(), x[chosen])
    partial, hidden = hide(xv)
    with torch.no_grad():
        error = ((model(partial) - xv).square() * hidden).sum()
    mean = ((xv - x.mean(0)).square() * hidden).sum()
    return Trained(watch, 1 - float(error / mean))


def turned() -> Trained:
    """Which way up an image is: each comes four times in a batch, the targets in blocks."""
    (x, _), (xv, _) = data.digits()

    def turns(x: Tensor) -> tuple[Tensor, Tensor]:
        image = x.view(-1, 8, 8)
        every = torch.cat([torch.rot90(image, k, (1, 2)) for k in range(4)])
        return every.flatten(1), torch.arange(4).repeat_interleave(len(x))

    model = dense(64, 96, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 32, 6):
            rotated, turn = turns(x[chosen])
            descend(watch, optimizer, F.cross_entropy(model(rotated), turn), turn)
    known = {"train": turns(x), "valid": turns(xv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, *turns(xv)), known)


CASES = [
    healthy("a slow copy", slow_copy),
    healthy("hidden patches", hidden_patches),
    healthy("turned images", turned),
]
