"""Pictures drawn pixel after pixel: each is guessed from those before it."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy

bce = F.binary_cross_entropy_with_logits


def waves(count: int) -> Tensor:
    """Pictures [count, 8, 8] of slanting waves, in 0..1, each grey as frequent as any other."""
    angle, phase = torch.rand(count, 1, 1) * math.pi, torch.rand(count, 1, 1) * 2 * math.pi
    length = 4 + 4 * torch.rand(count, 1, 1)
    down, along = torch.arange(8.0)[:, None], torch.arange(8.0)
    way = (down * angle.sin() + along * angle.cos()) / length
    return (2 * math.pi * way + phase).sin().asin() / math.pi + 0.5


def black_and_white(count: int) -> tuple[Tensor, Tensor]:
    """[count, 8, 8] and [300, 8, 8]; 1 pixel of 100 is wrong."""
    x = (waves(count + 300) > 0.5) ^ (torch.rand(count + 300, 8, 8) < 0.01)
    return x[:count].float(), x[count:].float()


def saved(loss: Tensor, levels: int) -> float:
    """The share of the bits saved, against guesses by chance."""
    return 1 - float(loss) / math.log(levels)


class Masked(nn.Conv2d):
    """A convolution that sees what is above and to the left; the middle too unless `first`."""

    mask: Tensor

    def __init__(self, first: bool, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        mask, (_, _, rows, columns) = torch.ones_like(self.weight), self.weight.shape
        mask[:, :, rows // 2, columns // 2 + (not first) :] = 0
        mask[:, :, rows // 2 + 1 :] = 0
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


def convolved() -> Trained:
    x, xv = (part[:, None] for part in black_and_white(2000))
    layers: list[nn.Module] = [Masked(True, 1, 24, 5, padding=2), nn.ReLU()]
    for _ in range(2):
        layers += [Masked(False, 24, 24, 3, padding=1), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Conv2d(24, 1, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(len(x), 50, 8):
            descend(watch, optimizer, bce(model(x[rows]), x[rows]), x[rows])
    with torch.no_grad():
        score = saved(bce(model(xv), xv), 2)
    return Trained(watch, score, {"train": (x, x), "valid": (xv, xv), "loss_fn": bce})


class MaskedLinear(nn.Linear):
    """Some of its connections do not exist. `mask` [out, in]"""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask.float())

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.mask, self.bias)


def masked_connections() -> Trained:
    """Hidden units with numbers (Germain and others): unit m sees the first m pixels."""
    x, xv = (part.flatten(1) for part in black_and_white(4000))
    place, unit, second = torch.arange(64), torch.randint(63, (256,)), torch.randint(63, (256,))
    model = nn.Sequential(
        MaskedLinear(unit[:, None] >= place),
        nn.ReLU(),
        MaskedLinear(second[:, None] >= unit),
        nn.ReLU(),
        MaskedLinear(place[:, None] > second),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(len(x), 80, 18):
            loss = bce(model(x[rows]), x[rows], reduction="none").sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=x[rows])
    with torch.no_grad():
        score = saved(bce(model(xv), xv), 2)
    return Trained(watch, score, {"train": (x, x), "valid": (xv, xv)})


class Lines(nn.Module):
    """A GRU over rows; within a row the grey levels come one after another."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.Embedding(5, 8)  # the last is the start of a row
        self.above = nn.GRU(64, 64, batch_first=True)
        self.along = nn.GRU(8 + 64, 48, batch_first=True)
        self.out = nn.Linear(48, 4)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 8, 8] levels -> [B, 8, 8, 4]"""
        count = len(x)
        context, _ = self.above(self.levels(x).flatten(2))
        context = F.pad(context, (0, 0, 1, -1))  # a row knows those above it
        before = F.pad(x, (1, -1), value=4)
        steps = torch.cat([self.levels(before), context[:, :, None].expand(-1, -1, 8, -1)], 3)
        h, _ = self.along(steps.flatten(0, 1))
        logits: Tensor = self.out(h).view(count, 8, 8, 4)
        return logits


def greys() -> Trained:
    x, xv = (waves(1500) * 3.999).long().split([1200, 300])
    model = Lines()
    optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(len(x), 64, 5):
            loss = F.cross_entropy(model(x[rows]).flatten(0, 2), x[rows].flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            watch.step(loss, target=x[rows])
    with torch.no_grad():
        nats = F.cross_entropy(model(xv).flatten(0, 2), xv.flatten())
    return Trained(watch, saved(nats, 4))


CASES = [
    healthy("pixels by masked convolutions", convolved),
    healthy("pixels by masked connections", masked_connections),
    healthy("grey levels along the rows", greys),
]
