"""Losses without a meaning of their own: what the training is for is its score."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches
from benchmarks.doctor.cases.field_faults.drawn import bars, clouds
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch
from benchmarks.doctor.networks import dense


def update(
    watching: Any, optimizer: torch.optim.Optimizer, loss: Tensor, score: float | None = None
) -> None:
    """One step, and its score where there is one."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watching.step(loss, score=score)


def costs_for_rewards(cured: bool, watch: Watch) -> Trained:
    """A policy that chooses where to aim; the environment gives costs, taken for rewards."""
    truth = torch.randn(5, 1)
    model = dense(5, 24, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    mean_cost = 1.0
    with watch(model, optimizer) as watching:
        for _ in range(400):
            x = torch.randn(64, 5)
            aim, width = model(x).chunk(2, 1)
            policy = torch.distributions.Normal(aim, 0.3 + F.softplus(width.clamp(-3, 3)))
            action = policy.sample()
            cost = (action - x @ truth).abs().clamp(max=6)
            gain = mean_cost - cost if cured else cost - mean_cost
            mean_cost = 0.9 * mean_cost + 0.1 * float(cost.mean())
            loss = -(policy.log_prob(action) * gain).mean()
            update(watching, optimizer, loss, -float(cost.mean()))
    x = torch.randn(1000, 5)
    with torch.no_grad():
        error = (model(x)[:, :1] - x @ truth).abs().mean() / (x @ truth).abs().mean()
    return Trained(watching, max(float(1 - error), -1.0))


def pairs_of_views(cured: bool, watch: Watch) -> Trained:
    """Two views of each thing are to be alike; distances were put where likeness belongs."""
    things = torch.randn(1200, 4)
    views = [torch.tanh(things @ torch.randn(4, 12)) + 0.1 * torch.randn(1200, 12) for _ in "ab"]
    model = nn.ModuleList([dense(12, 32, 8), dense(12, 32, 8)])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def likeness(chosen: Tensor) -> Tensor:
        a, b = (
            F.normalize(net(view[chosen]), dim=1) for net, view in zip(model, views, strict=True)
        )
        return a @ b.T / 0.1

    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 50, 12):
            alike = likeness(chosen)
            loss = F.cross_entropy(alike if cured else 20 - alike, torch.arange(len(chosen)))
            with torch.no_grad():
                found = float((alike.argmax(1) == torch.arange(len(chosen))).double().mean())
            update(watching, optimizer, loss, found)
    with torch.no_grad():
        found = float(
            (likeness(torch.arange(1000, 1200)).argmax(1) == torch.arange(200)).double().mean()
        )
    return Trained(watching, found)


def ranking_reversed(cured: bool, watch: Watch) -> Trained:
    """What was clicked is to stand above what was not."""
    tastes = torch.randn(8)
    model = dense(8, 24, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for _ in range(300):
            a, b = torch.randn(64, 8), torch.randn(64, 8)
            first = ((a - b) @ tastes > 0)[:, None]
            clicked, other = torch.where(first, a, b), torch.where(first, b, a)
            ahead = model(clicked) - model(other)
            loss = F.softplus(-ahead if cured else ahead).mean()
            update(watching, optimizer, loss, float((ahead > 0).double().mean()))
    x = torch.randn(1000, 8)
    with torch.no_grad():
        ranks = model(x)[:, 0].argsort().argsort().float(), (x @ tastes).argsort().argsort().float()
    return Trained(watching, float(torch.corrcoef(torch.stack(ranks))[0, 1]))


class Mixture(nn.Module):
    """A density of the line: four normal ones, their weights, places and widths."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4))
        self.place, self.width = (
            nn.Parameter(torch.linspace(-2, 2, 4)),
            nn.Parameter(torch.zeros(4)),
        )

    def forward(self, x: Tensor) -> Tensor:
        wide = F.softplus(self.width) + 0.05
        log = -0.5 * ((x[:, None] - self.place) / wide).square() - wide.log() - 0.919
        return torch.logsumexp(log + self.weight.log_softmax(0), 1)


def likelihood_made_small(cured: bool, watch: Watch) -> Trained:
    """The mean logarithm of the density is minimised, where its negative should be."""
    x = torch.where(torch.rand(1200) < 0.4, -2.0, 1.5) + 0.4 * torch.randn(1200)
    model = Mixture()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 50, 15):
            log_density = model(x[chosen]).mean()
            loss = -log_density if cured else log_density
            update(watching, optimizer, loss, float(log_density.detach()))
    with torch.no_grad():
        score = float(model(x[1000:]).mean() + 2.5) / 2.5
    return Trained(watching, max(score, -1.0) if math.isfinite(score) else -1.0)


def views_without_others(cured: bool, watch: Watch) -> Trained:
    """Two views of a picture are to have one code; with nothing else, one code serves for all."""
    x, _ = bars(900)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 8))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(700, 50, 15):
            a, b = (model(x[chosen] + 0.2 * torch.randn_like(x[chosen])) for _ in "ab")
            loss = F.mse_loss(a, b)
            if (
                cured
            ):  # each value of the codes is to keep its spread, and to differ from the others
                c = (a - a.mean(0)).T @ (a - a.mean(0)) / len(a)
                loss = loss + F.relu(1 - (a.var(0) + 1e-4).sqrt()).mean()
                loss = loss + 0.1 * (c - c.diagonal().diag()).square().mean()
            update(watching, optimizer, loss)
    with torch.no_grad():
        codes = model(x)
    return Trained(watching, float(codes.std(0).mean().clamp(max=1)))


def near_and_far_reversed(cured: bool, watch: Watch) -> Trained:
    """Pairs with a label 1 for the same kind; the loss was written for 1 as a different one."""
    x, y = clouds(800, 6, 10, apart=1.0)
    model = dense(10, 32, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(600, 60, 15):
            i, j = chosen.chunk(2)
            alike = y[i] == y[j]
            same = alike.float() if cured else 1 - alike.float()
            apart = (model(x[i]) - model(x[j])).square().sum(1)
            loss = (same * apart + (1 - same) * F.relu(2 - (apart + 1e-6).sqrt()).square()).mean()
            with torch.no_grad():
                wider = float(apart[~alike].mean() - apart[alike].mean()) if alike.any() else None
            update(watching, optimizer, loss, wider)
    with torch.no_grad():
        distance = torch.cdist(model(x[600:]), model(x[:600]))
    return Trained(watching, float((y[distance.argmin(1)] == y[600:]).double().mean()))


PAIRS = [
    Pair(
        "a policy that seeks costs",
        "a policy that avoids costs",
        ("loss_sign",),
        costs_for_rewards,
        0.2,
        0.5,
    ),
    Pair(
        "likeness of views subtracted",
        "likeness of views",
        ("loss_sign",),
        pairs_of_views,
        0.1,
        0.4,
    ),
    Pair("a ranking reversed", "a ranking", ("loss_sign",), ranking_reversed, 0.0, 0.8),
    Pair(
        "a density made small where the data is",
        "a density fitted",
        ("loss_sign",),
        likelihood_made_small,
        0.2,
        0.35,
    ),
    Pair(
        "codes of views collapse to one",
        "codes of views that keep their spread",
        ("representation_collapsed",),
        views_without_others,
        0.3,
        0.7,
    ),
    Pair(
        "labels of near and far reversed",
        "labels of near and far",
        ("loss_sign",),
        near_and_far_reversed,
        0.45,
        0.52,
    ),
]
