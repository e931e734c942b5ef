"""Orders: pairs, lists and groups that are to be ranked, and grades that are ordered."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy
from benchmarks.doctor.networks import dense


def queries(count: int) -> tuple[Tensor, Tensor]:
    """Documents [count, 10, 8] and how relevant each is to its query, 0 … 3."""
    x = torch.randn(count, 10, 8)
    worth = x[..., 0] + x[..., 1] * x[..., 2] + 0.5 * x[..., 3]
    worth = worth + 0.2 * torch.randn_like(worth)
    return x, (worth > -0.5).long() + (worth > 0.5).long() + (worth > 1.5).long()


def ndcg(score: Tensor, grade: Tensor) -> float:
    """Discounted gain at 5, of the best there is."""
    discount = 1 / torch.log2(torch.arange(5) + 2.0)
    gain = 2.0**grade - 1

    def at(order: Tensor) -> Tensor:
        return (gain.gather(1, order[:, :5]) * discount).sum(1)

    best = at(grade.argsort(1, descending=True)).clamp_min(1e-9)
    return float((at(score.argsort(1, descending=True)) / best).mean())


def listwise() -> Trained:
    """ListNet: the scores' softmax against the grades'."""
    x, grade = queries(500)
    model = dense(8, 32, 32, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(400, 20, 10):
            score = model(x[chosen])[..., 0]
            target = grade[chosen].float().softmax(1)
            descend(watch, optimizer, -(target * score.log_softmax(1)).sum(1).mean())
    with torch.no_grad():
        return Trained(watch, ndcg(model(x[400:])[..., 0], grade[400:]))


def pairs_weighed() -> Trained:
    """Every pair of a query, weighed by what swapping it would change (LambdaRank)."""
    x, grade = queries(500)
    model = dense(8, 32, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(400, 20, 10):
            score, g = model(x[chosen])[..., 0], grade[chosen]
            with torch.no_grad():
                place = score.argsort(1, descending=True).argsort(1)
                discount = 1 / torch.log2(place + 2.0)
                gain = 2.0**g - 1
                weight = (gain[:, :, None] - gain[:, None]).abs()
                weight = weight * (discount[:, :, None] - discount[:, None]).abs()
                above = (g[:, :, None] > g[:, None]).float()
            ahead = score[:, :, None] - score[:, None]
            descend(watch, optimizer, (weight * above * F.softplus(-ahead)).sum() / above.sum())
    with torch.no_grad():
        return Trained(watch, ndcg(model(x[400:])[..., 0], grade[400:]))


def graded(count: int) -> tuple[Tensor, Tensor]:
    x = torch.randn(count, 6)
    worth = x[:, 0] - x[:, 1] + 0.5 * x[:, 2].square() + 0.3 * torch.randn(count)
    return x, torch.bucketize(worth, torch.tensor([-1.0, 0.0, 0.8, 1.8]))


class Thresholds(nn.Module):
    """One score and four rising thresholds: logits of "more than grade k"."""

    def __init__(self) -> None:
        super().__init__()
        self.score = dense(6, 32, 1)
        self.first = nn.Parameter(torch.tensor(-1.0))
        self.steps = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        rises = F.softplus(self.steps).cumsum(0)
        return self.score(x) - torch.cat([self.first[None], self.first + rises])


def ordinal() -> Trained:
    """Grades by cumulative thresholds; judged by the rank correlation."""
    x, y = graded(1200)
    model = Thresholds()
    optimizer = torch.optim.Adam(
        [
            {"params": model.score.parameters(), "weight_decay": 1e-4},
            {"params": [model.first, model.steps], "lr": 2e-2},
        ],
        lr=4e-3,
    )
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1000, 50, 12):
            more = (y[chosen, None] > torch.arange(4)).float()
            loss = F.binary_cross_entropy_with_logits(model(x[chosen]), more)
            descend(watch, optimizer, loss, more)
    with torch.no_grad():
        grade = (model(x[1000:]) > 0).sum(1).float()
    return Trained(watch, float(torch.corrcoef(torch.stack([grade, y[1000:].float()]))[0, 1]))


def plackett_luce() -> Trained:
    """Orders of five things, drawn one after another: the likelihood of the whole order."""
    things = torch.randn(800, 5, 6)
    worth = 2 * things[..., 0] - 1.5 * things[..., 1].abs()
    noise = -torch.log(-torch.log(torch.rand_like(worth).clamp(1e-6, 1 - 1e-6)))
    order = (worth + noise).argsort(1, descending=True)
    model = dense(6, 24, 24, 1, activation=nn.SiLU)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(700, 35, 12):
            score = model(things[chosen])[..., 0].gather(1, order[chosen])
            rest = score.flip(1).logcumsumexp(1).flip(1)
            descend(watch, optimizer, (rest - score).sum(1).mean(), order[chosen])
    with torch.no_grad():
        score = model(things[700:])[..., 0]
    apart = [(v - v.mean(1, keepdim=True)).flatten() for v in (score, worth[700:])]
    return Trained(watch, float(torch.corrcoef(torch.stack(apart))[0, 1]))


CASES = [
    healthy("lists by their softmax", listwise),
    healthy("pairs weighed by what a swap changes", pairs_weighed),
    healthy("grades by thresholds", ordinal),
    healthy("whole orders", plackett_luce),
]
