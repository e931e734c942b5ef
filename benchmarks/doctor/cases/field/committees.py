"""Several networks for one question: in one module, one after another, or the nearest alone."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import (
    Trained,
    accuracy,
    batches,
    descend,
    healthy,
    r2,
)
from benchmarks.doctor.networks import dense


class Stacked(nn.Module):
    """Linear layers of all members in one tensor: [members, B, inputs] -> [members, B, outputs]"""

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(members, inputs, outputs) / inputs**0.5)
        self.bias = nn.Parameter(torch.zeros(members, 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)


def stacked() -> Trained:
    """Six members in one tensor; each has batches of its own."""
    (x, y), (xv, yv) = data.mpg()
    model = nn.Sequential(Stacked(6, 9, 32), nn.ReLU(), Stacked(6, 32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(400):
            chosen = torch.randint(len(x), (6, 25))
            loss = (model(x[chosen]) - y[chosen]).square().mean((1, 2)).sum()
            descend(watch, optimizer, loss, y[chosen])
    with torch.no_grad():
        answer = model(xv.expand(6, *xv.shape)).mean(0)
    return Trained(watch, r2(answer, yv))


def stage_by_stage() -> Trained:
    """Each network learns what those before it have left; only the newest moves."""
    (x, y), (xv, yv) = data.mpg()
    stages = nn.ModuleList(dense(9, 8, 1, activation=nn.Tanh) for _ in range(5))

    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stages, self.now = stages, 1

        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([stage(x) for stage in self.stages[: self.now]]).sum(0)

    model = Sum()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for i, stage in enumerate(stages):
            for other in stages:
                other.requires_grad_(other is stage)
            model.now = i + 1
            for chosen in batches(len(x), 30, 12):
                descend(watch, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
    return Trained(watch, r2(model(xv), yv), {"train": (x, y), "valid": (xv, yv)})


def nearest_alone() -> Trained:
    """Four answers, of which only the nearest learns: a question with two right ones."""
    x = 2 * torch.rand(1200, 1) - 1
    side = torch.where(torch.rand(1200, 1) < 0.5, -1.0, 1.0)
    y = side * (0.5 + torch.sin(3 * x) ** 2) + 0.05 * torch.randn(1200, 1)
    model = dense(1, 64, 64, 4, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1000, 50, 40):
            apart = (model(x[chosen]) - y[chosen]).square()
            loss = 0.95 * apart.min(1).values.mean() + 0.05 * apart.mean()
            descend(watch, optimizer, loss, y[chosen])
    with torch.no_grad():
        left = (model(x[1000:]) - y[1000:]).square().min(1).values.mean()
    return Trained(watch, 1 - float(left / y.var()))


def different_on_purpose() -> Trained:
    """Five heads that are paid for differing; the mean of their answers is the answer."""
    (x, y), (xv, yv) = data.digits()

    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bodies = nn.ModuleList(dense(64, 24, 10) for _ in range(5))

        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([body(x) for body in self.bodies])

    model = Heads()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 12):
            logits = model(x[chosen])
            p = logits.softmax(2)
            differ = (p - p.mean(0)).square().sum(2).mean()
            loss = F.cross_entropy(logits.flatten(0, 1), y[chosen].repeat(5)) - 0.3 * differ
            descend(watch, optimizer, loss, y[chosen])
    with torch.no_grad():
        right = (model(xv).softmax(2).mean(0).argmax(1) == yv).double().mean()
    return Trained(watch, float(right))


def snapshots() -> Trained:
    """A rate that falls and jumps back; where it has fallen, the weights are kept for a vote."""
    (x, y), (xv, yv) = data.digits()
    model = dense(64, 48, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=5)
    votes = torch.zeros(len(xv), 10)
    with ss.watch(model, optimizer) as watch:
        for epoch in range(20):
            for chosen in torch.randperm(len(x)).split(50):
                descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
            schedule.step()
            if epoch % 5 == 4:
                with torch.no_grad():
                    votes += model(xv).softmax(1)
    last = accuracy(model, xv, yv)
    right = float((votes.argmax(1) == yv).double().mean())
    return Trained(watch, max(last, right), {"train": (x, y), "valid": (xv, yv)})


CASES = [
    healthy("six members in one tensor", stacked),
    healthy("each learns what is left", stage_by_stage),
    healthy("the nearest learns alone", nearest_alone),
    healthy("paid for differing", different_on_purpose),
    healthy("kept where the rate was low", snapshots),
]
