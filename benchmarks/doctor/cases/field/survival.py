"""Times until something happens, seen in part, and orders: losses that compare samples."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy
from benchmarks.doctor.networks import dense


def patients(count: int = 1000) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Columns [N, 6], times, whether the end was seen, and the true risk [N]."""
    x = torch.randn(count, 6)
    risk = 1.2 * x[:, 0] - x[:, 1] + 0.8 * x[:, 2] * x[:, 3]
    time = torch.empty(count).exponential_() / risk.exp()
    left = torch.empty(count).exponential_() * 2
    return x, torch.minimum(time, left), time <= left, risk


def concordance(guess: Tensor, truth: Tensor) -> float:
    """2 · share of pairs in the right order - 1."""
    a, b = guess[:, None] - guess, truth[:, None] - truth
    return float((a.sign() * b.sign()).sum() / (b != 0).sum())


def partial_likelihood() -> Trained:
    """Cox: each death against all who were still alive."""
    x, time, seen, risk = patients()
    model = dense(6, 32, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(800, 100, 25):
            order = chosen[time[chosen].argsort(descending=True)]
            hazard = model(x[order]).squeeze(1)
            alive = torch.logcumsumexp(hazard, 0)
            loss = -((hazard - alive) * seen[order]).sum() / seen[order].sum()
            descend(watch, optimizer, loss, time[order])
    with torch.no_grad():
        guess = model(x[800:]).squeeze(1)
    return Trained(watch, concordance(guess, risk[800:]))


def intervals() -> Trained:
    """Whether it happens in each of six intervals, as far as that was seen."""
    x, time, seen, risk = patients()
    ends = torch.tensor([0.1, 0.25, 0.5, 1.0, 2.0, 4.0])
    where = torch.bucketize(time, ends).clamp_max(5)
    alive = (torch.arange(6) <= where[:, None]).float()
    event = F.one_hot(where, 6).float() * seen[:, None]
    known = torch.maximum(event, alive * (1 - F.one_hot(where, 6)) + event)
    model = dense(6, 32, 6)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(800, 50, 15):
            loss = F.binary_cross_entropy_with_logits(
                model(x[chosen]), event[chosen], reduction="none"
            )
            loss = (loss * known[chosen]).sum() / known[chosen].sum()
            descend(watch, optimizer, loss, event[chosen])
    with torch.no_grad():
        lasting = F.softplus(model(x[800:])[:, :3]).sum(1)  # few were seen for longer
    return Trained(watch, concordance(lasting, risk[800:]))


def levels() -> Trained:
    """Grades in order: a shared slope, and thresholds that rise."""
    x = torch.randn(1000, 5)
    hidden = x[:, 0] + torch.sin(2 * x[:, 1]) + 0.2 * torch.randn(1000)
    y = torch.bucketize(hidden, torch.tensor([-1.0, 0.0, 1.0]))

    class Ordinal(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.slope = dense(5, 32, 1)
            self.gaps = nn.Parameter(torch.tensor([-1.0, 0.5, 0.5]))

        def forward(self, x: Tensor) -> Tensor:
            gaps = torch.cat([self.gaps[:1], F.softplus(self.gaps[1:])])
            answer: Tensor = self.slope(x) - gaps.cumsum(0)
            return answer

    model = Ordinal()
    optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(800, 50, 18):
            above = (y[chosen, None] > torch.arange(3)).float()
            loss = F.binary_cross_entropy_with_logits(model(x[chosen]), above)
            descend(watch, optimizer, loss, y[chosen])
    with torch.no_grad():
        grade = (model(x[800:]) > 0).sum(1)
    right = float((grade == y[800:]).double().mean())
    return Trained(watch, right, {"train": (x[:800], y[:800]), "valid": (x[800:], y[800:])})


def pairs() -> Trained:
    """Which of two is better: a score for each, and nothing but pairs to learn it from."""
    x = torch.randn(900, 6)
    worth = torch.tanh(x[:, 0]) + x[:, 1] * x[:, 2] / 2
    model = dense(6, 32, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    loss_fn = nn.MarginRankingLoss(margin=0.3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(700, 50, 20):
            other = chosen[torch.randperm(len(chosen))]
            better = torch.sign(worth[chosen] - worth[other])
            first, second = model(x[chosen]).squeeze(1), model(x[other]).squeeze(1)
            descend(watch, optimizer, loss_fn(first, second, better), better)
    with torch.no_grad():
        guess = model(x[700:]).squeeze(1)
    return Trained(watch, concordance(guess, worth[700:]))


CASES = [
    healthy("partial likelihood", partial_likelihood),
    healthy("intervals seen in part", intervals),
    healthy("grades in order", levels),
    healthy("which of two is better", pairs),
]
