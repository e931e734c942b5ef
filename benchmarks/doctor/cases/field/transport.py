"""Clouds of points carried onto one another, and orders made soft."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def ring(count: int) -> Tensor:
    angle = 6.2832 * torch.rand(count)
    return torch.stack([angle.cos(), angle.sin()], 1) * (2 + 0.1 * torch.randn(count, 1))


def on_the_ring(model: nn.Module) -> float:
    """How near the points are to the ring, and how even they lie on it."""
    with torch.no_grad():
        points = model.eval()(torch.randn(1000, 4))
    near = 1 - float((points.norm(dim=1) - 2).abs().mean())
    sector = ((torch.atan2(points[:, 1], points[:, 0]) + 3.1416) / 6.2832 * 8).long().clamp(0, 7)
    share = torch.bincount(sector, minlength=8) / 1000
    return near - float((share - 1 / 8).abs().sum()) / 2


def sinkhorn() -> Trained:
    """The entropic cost of carrying made points to real ones, less the two own costs."""
    model = dense(4, 64, 64, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def cost(a: Tensor, b: Tensor) -> Tensor:
        distance = (a[:, None] - b).square().sum(-1)
        f, g = torch.zeros(len(a)), torch.zeros(len(b))
        with torch.no_grad():
            for _ in range(20):
                f = -0.2 * torch.logsumexp((g - distance) / 0.2, 1)
                g = -0.2 * torch.logsumexp((f[:, None] - distance) / 0.2, 0)
            plan = ((f[:, None] + g - distance) / 0.2).exp()
        return (plan * distance).sum() / len(a)

    with ss.watch(model, optimizer) as watch:
        for _ in range(250):
            made, real = model(torch.randn(64, 4)), ring(64)
            loss = cost(made, real) - 0.5 * cost(made, made) - 0.5 * cost(real, real)
            descend(watch, optimizer, loss)
    return Trained(watch, on_the_ring(model))


def sliced() -> Trained:
    """Sorted projections on directions that are drawn anew."""
    model = dense(4, 64, 64, 2)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(500):
            directions = F.normalize(torch.randn(2, 24), dim=0)
            made, real = model(torch.randn(128, 4)) @ directions, ring(128) @ directions
            descend(watch, optimizer, (made.sort(0).values - real.sort(0).values).abs().mean())
    return Trained(watch, on_the_ring(model))


def distances() -> Trained:
    """The energy distance: far from one another as the real ones are, near to those."""

    def between(a: Tensor, b: Tensor) -> Tensor:
        return 2 * torch.cdist(a, b).mean() - F.pdist(a).mean() - F.pdist(b).mean()

    model = dense(4, 64, 64, 2, activation=nn.SiLU)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 400)
    with ss.watch(model, optimizer) as watch:
        for _ in range(400):
            made, real = model(torch.randn(128, 4)), ring(128)
            descend(watch, optimizer, between(made, real))
            schedule.step()
    with torch.no_grad():
        left = between(model(torch.randn(1000, 4)), ring(1000))
    return Trained(watch, 1 - float(left / between(torch.randn(1000, 2), ring(1000))))


def soft_order() -> Trained:
    """Things are to be sorted; known is what they look like in their order, not what they weigh."""
    hidden = torch.randn(6, 1)
    things = torch.randn(900, 5, 6)
    order = (things @ hidden)[..., 0].argsort(1)
    target = things.gather(1, order[..., None].expand(-1, -1, 6))
    model = dense(6, 24, 5)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

    def plan(x: Tensor) -> Tensor:
        scores = model(x) / 0.5
        for _ in range(8):
            scores = scores.log_softmax(1)
            scores = scores.log_softmax(2)
        return scores.exp().transpose(1, 2)

    with ss.watch(model, optimizer) as watch:
        for chosen in batches(800, 40, 20):
            placed = plan(things[chosen]) @ things[chosen]
            descend(watch, optimizer, F.mse_loss(placed, target[chosen]), target[chosen])
    with torch.no_grad():
        return Trained(watch, r2(plan(things[800:]) @ things[800:], target[800:]))


CASES = [
    healthy("points carried by Sinkhorn's plan", sinkhorn),
    healthy("points by sorted projections", sliced),
    healthy("points by their distances", distances),
    healthy("an order made soft", soft_order),
]
