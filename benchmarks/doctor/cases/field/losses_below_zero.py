"""Losses that fall below zero, because what they measure has no floor there."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


class MeanAndSpread(nn.Module):
    """A mean and a variance for each sample."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh())
        self.mean, self.variance = nn.Linear(48, 1), nn.Linear(48, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(x)
        return self.mean(h), F.softplus(self.variance(h)) + 1e-4


def fine_balance() -> Trained:
    """A scale that errs by a hundredth: the density of its readings is far above 1."""
    x = torch.rand(1300, 3) * 2 - 1
    noise = 0.01 + 0.02 * (x[:, 2:] > 0)
    y = 0.3 * torch.sin(3 * x[:, :1]) + 0.2 * x[:, 1:2] + noise * torch.randn(1300, 1)
    model = MeanAndSpread()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = nn.GaussianNLLLoss(eps=1e-6)
    with ss.watch(model, optimizer) as watch:
        for _epoch in range(15):
            for chosen in torch.randperm(1000).split(40):
                mean, variance = model(x[chosen])
                descend(watch, optimizer, criterion(mean, y[chosen], variance), y[chosen])
    return Trained(watch, r2(model(x[1000:])[0], y[1000:]))


class Critic(nn.Module):
    """A score for each pair of a batch: products of two codes. [B, B]"""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = dense(4, 64, 16), dense(4, 64, 16)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        scores: Tensor = self.left(a) @ self.right(b).T
        return scores


def shared_information() -> Trained:
    """A lower bound of what two signals tell of each other is raised; the loss is minus it."""
    model = Critic()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    truth = -4 * 0.5 * math.log(1 - 0.8**2)

    def bound(count: int) -> Tensor:
        a = torch.randn(count, 4)
        b = 0.8 * a + 0.6 * torch.randn(count, 4)
        scores = model(a, b)
        joint = scores.diagonal().mean()
        apart = scores.masked_fill(torch.eye(count).bool(), -torch.inf).flatten().logsumexp(0)
        return joint - (apart - math.log(count * (count - 1)))

    with ss.watch(model, optimizer) as watch:
        for _ in range(700):
            optimizer.zero_grad()
            loss = -bound(96)
            loss.backward()
            optimizer.step()
            watch.step(loss)
    with torch.no_grad():
        reached = sum(float(bound(96)) for _ in range(30)) / 30
    return Trained(watch, 1 - abs(truth - reached) / truth)


def portfolio() -> Trained:
    """Shares of five assets for each day; the loss is minus the mean return over its spread."""
    signal = torch.randn(2600, 5)
    returns = 0.02 * torch.tanh(signal) + 0.02 * torch.randn(2600, 5)
    model = dense(5, 32, 5, activation=nn.Tanh)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)

    def ratio(days: Tensor) -> Tensor:
        gain = (model(signal[days]).softmax(1) * returns[days]).sum(1)
        return gain.mean() / (gain.std() + 1e-4)

    with ss.watch(model, optimizer) as watch:
        for days in batches(2000, 100, 20):
            descend(watch, optimizer, -ratio(days))
    days = torch.arange(2000, 2600)
    with torch.no_grad():
        reached = float(ratio(days))
    strongest = returns[days, signal[days].argmax(1)]
    return Trained(watch, min(reached / float(strongest.mean() / strongest.std()), 1.0))


CASES = [
    healthy("likelihood of a fine balance", fine_balance),
    healthy("information of two signals", shared_information),
    healthy("portfolio by its ratio", portfolio),
]
