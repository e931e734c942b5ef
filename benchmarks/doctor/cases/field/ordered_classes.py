"""Classes in an order: grades, stages, stars."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy
from benchmarks.doctor.networks import dense


def graded(count: int, grades: int = 5) -> tuple[Tensor, Tensor]:
    """Answers of eight questions and a grade, the quantile of a hidden number."""
    x = torch.randn(count, 8)
    hidden = x[:, 0] - x[:, 1] + 0.7 * x[:, 2].abs() + 0.5 * x[:, 3] * x[:, 4]
    hidden = hidden + 0.15 * torch.randn(count)
    bounds = torch.quantile(hidden, torch.arange(1, grades) / grades)
    return x, torch.bucketize(hidden, bounds)


def agreement(grade: Tensor, y: Tensor) -> float:
    """Cohen's kappa with squared weights: 1 at best, 0 by chance."""
    a, b = grade.double(), y.double()
    by_chance = (a[:, None] - b).square().mean()
    return float(1 - (a - b).square().mean() / by_chance)


class Cumulative(nn.Module):
    """One number and thresholds that rise by construction; logits of "better than k"."""

    def __init__(self) -> None:
        super().__init__()
        self.number = dense(8, 32, 16, 1, activation=nn.ELU)
        self.first, self.gaps = nn.Parameter(torch.tensor([-1.0])), nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        rising = torch.cat([self.first, self.first + F.softplus(self.gaps).cumsum(0)])
        logits: Tensor = self.number(x) - rising
        return logits


def thresholds() -> Trained:
    x, y = graded(1500)
    levels = (y[:, None] > torch.arange(4)).float()
    model = Cumulative()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 40, 15):
            loss = F.binary_cross_entropy_with_logits(model(x[chosen]), levels[chosen])
            descend(watch, optimizer, loss, levels[chosen])
    with torch.no_grad():
        score = agreement((model(x[1200:]) > 0).sum(1), y[1200:])
    known = {
        "train": (x[:1200], levels[:1200]),
        "valid": (x[1200:], levels[1200:]),
        "loss_fn": F.binary_cross_entropy_with_logits,
    }
    return Trained(watch, score, known)


def conditional() -> Trained:
    """The question k is trained only on those that got as far as k."""
    x, y = graded(1500)
    model = dense(8, 48, 4, activation=nn.SiLU)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 60, 20):
            logits, grade, total, questions = model(x[chosen]), y[chosen], torch.zeros(()), 0
            for k in range(4):
                reached = grade >= k
                if reached.any():
                    further = (grade[reached] > k).float()
                    total = total + F.binary_cross_entropy_with_logits(
                        logits[reached, k], further, reduction="sum"
                    )
                    questions += int(reached.sum())
            loss = total / questions
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    with torch.no_grad():
        further = model(x[1200:]).sigmoid().cumprod(1)
        score = agreement((further > 0.5).sum(1), y[1200:])
    return Trained(watch, score)


def neighbours() -> Trained:
    """Targets that give the neighbouring grades a share; the answer is the expected grade."""
    x, y = graded(1500, 7)
    distance = (y[:, None] - torch.arange(7)).abs().float()
    shares = F.softmax(-1.5 * distance, 1)
    model = nn.Sequential(nn.Linear(8, 64), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, 7))
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.01)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 32, 12):
            log_p = model(x[chosen]).log_softmax(1)
            loss = F.kl_div(log_p, shares[chosen], reduction="batchmean")
            descend(watch, optimizer, loss, shares[chosen])
    with torch.no_grad():
        expected = model(x[1200:]).softmax(1) @ torch.arange(7.0)
    known = {"train": (x[:1200], shares[:1200]), "valid": (x[1200:], shares[1200:])}
    return Trained(watch, agreement(expected.round(), y[1200:]), known)


CASES = [
    healthy("grades by rising thresholds", thresholds),
    healthy("grades by conditional questions", conditional),
    healthy("grades shared with neighbours", neighbours),
]
