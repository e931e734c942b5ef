"""Layers that are repeated until nothing moves, and iterations whose constants are learned."""

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


def fixed_point() -> Trained:
    """z = tanh(W z + U x) is solved without a graph; one more step carries the gradient."""
    (x, y), (xv, yv) = data.digits()

    class Equilibrium(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w, self.u, self.out = nn.Linear(48, 48), nn.Linear(64, 48), nn.Linear(48, 10)
            nn.init.orthogonal_(self.w.weight, 0.5)

        def forward(self, x: Tensor) -> Tensor:
            pushed = self.u(x)
            with torch.no_grad():
                z = torch.zeros_like(pushed)
                for _ in range(20):
                    z = torch.tanh(self.w(z) + pushed)
            return self.out(torch.tanh(self.w(z) + pushed))

    model = Equilibrium()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 15):
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    return Trained(watch, accuracy(model, xv, yv), {"train": (x, y), "valid": (xv, yv)})


def shrinkage() -> Trained:
    """Sparse codes by steps of shrinking whose matrices are learned (LISTA); most entries are 0."""
    words = F.normalize(torch.randn(30, 60), dim=0)
    codes = torch.randn(1200, 60) * (torch.rand(1200, 60) < 0.07)
    x = codes @ words.T + 0.01 * torch.randn(1200, 30)

    class Unrolled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into = nn.Linear(30, 60, bias=False)
            self.among = nn.Linear(60, 60, bias=False)
            self.border = nn.Parameter(torch.full((6,), 0.1))
            size = float(torch.linalg.matrix_norm(words, 2)) ** 2
            self.into.weight.data = words.T / size
            self.among.weight.data = torch.eye(60) - words.T @ words / size

        def forward(self, x: Tensor) -> Tensor:
            z = F.softshrink(self.into(x), 0.0)
            for border in self.border:
                v = self.into(x) + self.among(z)
                z = v.sign() * F.relu(v.abs() - border)
            return z

    model = Unrolled()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1000, 40, 30):
            loss = (model(x[chosen]) - codes[chosen]).square().sum(1).mean()
            descend(watch, optimizer, loss, codes[chosen])
    return Trained(watch, r2(model(x[1000:]).reshape(-1), codes[1000:].reshape(-1)))


def associations() -> Trained:
    """A modern Hopfield layer: what was spoiled is moved to what is stored, three times."""
    (x, _), (xv, _) = data.digits()

    class Associative(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stored = nn.Parameter(0.5 + 0.1 * torch.randn(120, 64))
            self.sharp = nn.Parameter(torch.tensor(1.5))

        def forward(self, state: Tensor) -> Tensor:
            for _ in range(3):
                near = -(state[:, None] - self.stored).square().sum(2)
                state = torch.softmax(self.sharp.exp() * near, 1) @ self.stored
            return state

    def spoiled(x: Tensor) -> Tensor:
        left = torch.arange(64).view(8, 8)[:, :5].reshape(-1)
        x = x + 0.1 * torch.randn_like(x)
        keep = torch.zeros(64)
        keep[left] = 1
        return x * keep + 0.3 * (1 - keep)

    model = Associative()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 12):
            loss = F.mse_loss(model(spoiled(x[chosen])), x[chosen])
            descend(watch, optimizer, loss, x[chosen])
    with torch.no_grad():
        error = (model(spoiled(xv)) - xv).square().sum()
    return Trained(watch, 1 - float(error / (xv - x.mean(0)).square().sum()))


def shared_depth() -> Trained:
    """One block again and again, as often as chance says."""
    (x, y), (xv, yv) = data.digits()

    class Again(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.out = nn.Linear(64, 64), nn.Linear(64, 10)
            self.norm, self.block = nn.LayerNorm(64), nn.Linear(64, 64)

        def forward(self, x: Tensor) -> Tensor:
            h = self.into(x)
            for _ in range(int(torch.randint(3, 8, ())) if self.training else 5):
                h = h + 0.3 * F.gelu(self.block(self.norm(h)))
            return self.out(self.norm(h))

    model = Again()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    with ss.watch(model, optimizer) as watch:
        model.train()
        for chosen in batches(len(x), 50, 12):
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    return Trained(watch, accuracy(model, xv, yv), {"train": (x, y), "valid": (xv, yv)})


CASES = [
    healthy("a fixed point", fixed_point),
    healthy("shrinking steps", shrinkage),
    healthy("patterns that draw", associations),
    healthy("a block as often as chance says", shared_depth),
]
