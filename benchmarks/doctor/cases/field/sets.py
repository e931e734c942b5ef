"""Sets: no order among the parts, answers for all of them together, neighbours as a context."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


class Summed(nn.Module):
    """Deep sets: each part is coded, the codes are added up."""

    def __init__(self) -> None:
        super().__init__()
        self.part, self.whole = dense(2, 48, 32, end=nn.ReLU()), dense(32, 48, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.whole(self.part(x).mean(1))


def spread_of_points() -> Trained:
    """The mean distance from the middle of a cloud of points."""
    x = torch.randn(1500, 12, 2) * (0.3 + 1.5 * torch.rand(1500, 1, 1)) + torch.randn(1500, 1, 2)
    y = (x - x.mean(1, keepdim=True)).norm(dim=2).mean(1, keepdim=True)
    y = (y - y.mean()) / y.std()
    model = Summed()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 40, 20):
            descend(watch, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
    known = {"train": (x[:1200], y[:1200]), "valid": (x[1200:], y[1200:]), "loss_fn": F.mse_loss}
    with torch.no_grad():
        return Trained(watch, r2(model(x[1200:]), y[1200:]), known)


def shapes(count: int) -> tuple[Tensor, Tensor]:
    """Sixty points on a cube, a ball, a ring or a cross, turned: [count, 60, 3]."""
    y = torch.randint(4, (count,))
    p = torch.randn(count, 60, 3)
    cube = p / p.abs().amax(-1, keepdim=True)
    ball = F.normalize(p, dim=-1)
    ring = F.normalize(p * torch.tensor([1.0, 1, 0]), dim=-1)
    axis = F.one_hot(torch.randint(3, (count, 60)), 3)
    cross = axis * (2 * torch.rand(count, 60, 1) - 1)
    points = torch.stack([cube, ball, ring, cross], 1)[torch.arange(count), y]
    turn = torch.linalg.qr(torch.randn(count, 3, 3)).Q
    return points @ turn + 0.03 * torch.randn(count, 60, 3), y


def point_clouds() -> Trained:
    """The largest of each feature over all points; the norms run over the batch's points."""
    x, y = shapes(900)

    class Points(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.each = nn.Sequential(
                nn.Conv1d(3, 32, 1),
                nn.BatchNorm1d(32),
                nn.ReLU(),
                nn.Conv1d(32, 64, 1),
                nn.BatchNorm1d(64),
                nn.ReLU(),
            )
            self.head = nn.Sequential(nn.Dropout(0.2), dense(64, 32, 4))

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.each(x.transpose(1, 2)).amax(2))

    model = Points()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(750, 30, 12):
            model.train()
            dropped = x[chosen][:, torch.randperm(60)[:48]]
            descend(watch, optimizer, F.cross_entropy(model(dropped), y[chosen]), y[chosen])
    known = {"train": (x[:750], y[:750]), "valid": (x[750:], y[750:]), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, x[750:], y[750:]), known)


def odd_one_out() -> Trained:
    """Which of six things is unlike the others, by attention without places."""
    kinds = torch.randn(12, 8)
    pair = torch.stack([torch.randperm(12)[:2] for _ in range(1500)])
    y = torch.randint(6, (1500,))
    of = pair[:, :1].repeat(1, 6)
    of[torch.arange(1500), y] = pair[:, 1]
    x = kinds[of] + 0.3 * torch.randn(1500, 6, 8)

    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.start = nn.Linear(8, 24)
            self.layers = nn.ModuleList(
                nn.TransformerEncoderLayer(24, 3, 48, 0.0, batch_first=True) for _ in range(2)
            )
            self.head = nn.Linear(24, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.start(x)
            for layer in self.layers:
                x = layer(x)
            return self.head(x)[..., 0]

    model = Odd()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 40, 8):
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    return Trained(watch, accuracy(model, x[1200:], y[1200:]))


def from_a_context() -> Trained:
    """A neural process: a function is known at a few places, and asked for at others."""

    class Process(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pair, self.answer = dense(2, 64, 64), dense(65, 64, 64, 2)

        def forward(self, x: Tensor, y: Tensor, at: Tensor) -> torch.distributions.Normal:
            code = self.pair(torch.cat([x, y], -1)).mean(1, keepdim=True)
            code = code.expand(-1, at.shape[1], -1)
            mean, width = self.answer(torch.cat([code, at], -1)).chunk(2, -1)
            return torch.distributions.Normal(mean, 0.05 + F.softplus(width))

    def functions(count: int) -> tuple[Tensor, Tensor]:
        x = 2 * torch.rand(count, 24, 1) - 1
        slope, bend, level = torch.randn(3, count, 1, 1)
        return x, level + slope * x + bend * (2 * x.square() - 0.7)

    model = Process()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(500):
            x, y = functions(32)
            known = int(torch.randint(6, 13, ()))
            answer = model(x[:, :known], y[:, :known], x)
            optimizer.zero_grad()
            loss = -answer.log_prob(y).mean()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            watch.step(loss, target=y)
    x, y = functions(200)
    with torch.no_grad():
        return Trained(watch, r2(model(x[:, :12], y[:, :12], x[:, 12:]).mean, y[:, 12:]))


CASES = [
    healthy("the spread of points", spread_of_points),
    healthy("shapes of points", point_clouds),
    healthy("the odd one out", odd_one_out),
    healthy("a function from a context", from_a_context),
]
