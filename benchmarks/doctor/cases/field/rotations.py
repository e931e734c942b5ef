"""Turns and directions: answers on a sphere or a circle, and trees in a curved space."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy
from benchmarks.doctor.networks import dense


def matrix(six: Tensor) -> Tensor:
    """Two vectors made orthogonal, and a third: [B, 6] to turns [B, 3, 3]."""
    a, b = six[:, :3], six[:, 3:]
    a = F.normalize(a, dim=1)
    b = F.normalize(b - (a * b).sum(1, keepdim=True) * a, dim=1)
    return torch.stack([a, b, torch.linalg.cross(a, b)], 2)


def turned_points(count: int) -> tuple[Tensor, Tensor]:
    """A fixed cloud of six points, turned and spoiled [count, 18], and the turns."""
    cloud = torch.randn(6, 3, generator=torch.Generator().manual_seed(3))
    turn = matrix(torch.randn(count, 6))
    return (cloud @ turn.mT + 0.05 * torch.randn(count, 6, 3)).flatten(1), turn


def turns_by_six() -> Trained:
    """A turn from six numbers; the error is that of the matrix."""
    x, turn = turned_points(1400)
    model = dense(18, 96, 96, 6)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 40, 20):
            loss = (matrix(model(x[chosen])) - turn[chosen]).square().sum((1, 2)).mean()
            descend(watch, optimizer, loss, turn[chosen])
    with torch.no_grad():
        error = (matrix(model(x[1200:])) - turn[1200:]).square().sum((1, 2)).mean()
    return Trained(watch, 1 - float(error) / 6)  # 6 for turns by chance


def quaternions() -> Trained:
    """A turn as a quaternion, of which q and -q are the same: the smaller error counts."""
    q = F.normalize(torch.randn(1400, 4), dim=1)
    w, x, y, z = q.unbind(1)
    turn = torch.stack([
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ], 1)  # fmt: skip
    points = turn + 0.03 * torch.randn_like(turn)
    model = dense(9, 96, 96, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    def error(of: Tensor) -> Tensor:
        said = F.normalize(model(points[of]), dim=1)
        return 1 - (said * q[of]).sum(1).square()

    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 40, 20):
            descend(watch, optimizer, error(chosen).mean(), q[chosen])
    with torch.no_grad():
        left = error(torch.arange(1200, 1400)).mean()
    return Trained(watch, 1 - float(left) / 0.75)  # .75 by chance


def times_of_day() -> Trained:
    """A time of day from what was seen, as a von Mises density: its mean, and how sure it is."""
    hour = 2 * math.pi * torch.rand(1400)
    x = torch.stack([torch.sin(hour + i) + 0.3 * torch.randn(1400) for i in range(6)], 1)

    class Clock(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = dense(6, 48, 3, activation=nn.SiLU)

        def forward(self, x: Tensor) -> torch.distributions.VonMises:
            sine, cosine, sure = self.body(x).unbind(1)
            return torch.distributions.VonMises(torch.atan2(sine, cosine), F.softplus(sure) + 0.01)

    model = Clock()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 40, 15):
            shifted = hour[chosen] - math.pi
            descend(watch, optimizer, -model(x[chosen]).log_prob(shifted).mean())
    with torch.no_grad():
        near = torch.cos(model(x[1200:]).loc - (hour[1200:] - math.pi)).mean()
    return Trained(watch, float(near))


def tree_in_a_ball() -> Trained:
    """A tree's nodes in a hyperbolic ball: a parent is nearer than others; gradients are scaled."""
    parent = [(i - 1) // 3 for i in range(1, 121)]
    edges = torch.tensor([(i + 1, p) for i, p in enumerate(parent)])

    class Ball(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.place = nn.Embedding(121, 2)
            nn.init.uniform_(self.place.weight, -1e-3, 1e-3)

        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            u, v = self.place(a), self.place(b)
            apart = (u - v).square().sum(-1)
            room = (1 - u.square().sum(-1)) * (1 - v.square().sum(-1))
            return torch.acosh(1 + 2 * apart / room.clamp_min(1e-6) + 1e-7)

    model = Ball()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(1300):
            chosen = edges[torch.randint(len(edges), (40,))]
            other = torch.randint(121, (40, 10))
            near = -model(chosen[:, 0], chosen[:, 1])[:, None]
            far = -model(chosen[:, :1], other)
            target = torch.zeros(40, dtype=torch.long)
            loss = F.cross_entropy(torch.cat([near, far], 1), target)
            optimizer.zero_grad()
            loss.backward()
            weight = model.place.weight
            with torch.no_grad():
                weight.grad *= ((1 - weight.square().sum(1, keepdim=True)) ** 2) / 4
                weight.grad *= 40
            optimizer.step()
            with torch.no_grad():
                weight.copy_(torch.renorm(weight, 2, 0, 0.999))
            watch.step(loss, target=target)
    with torch.no_grad():
        everyone = model(edges[:, :1], torch.arange(121).expand(120, 121))
        mine = everyone.gather(1, edges[:, 1:])
        rank = (everyone < mine).double().sum(1)  # itself is always nearer
    return Trained(watch, float((rank <= 12).double().mean()))


CASES = [
    healthy("turns by six numbers", turns_by_six),
    healthy("quaternions of either sign", quaternions),
    healthy("times of day and how sure", times_of_day),
    healthy("a tree in a ball", tree_in_a_ball),
]
