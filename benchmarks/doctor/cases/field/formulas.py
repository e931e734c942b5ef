"""Networks that are to find a formula: units of several functions, ratios, curves on the edges."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2


class Units(nn.Module):
    """A linear map, then x, sin x and products of two, a third each. [B, i] -> [B, 3 n]"""

    def __init__(self, inputs: int, each: int) -> None:
        super().__init__()
        self.each, self.linear = each, nn.Linear(inputs, 4 * each)

    def forward(self, x: Tensor) -> Tensor:
        same, wave, left, right = self.linear(x).split(self.each, 1)
        return torch.cat([same, wave.sin(), left * right], 1)


def found() -> Trained:
    """First without a penalty, then with one on the weights, then with the small ones held at 0."""
    x = 4 * torch.rand(1200, 3) - 2
    y = (1.5 * x[:, 0] * x[:, 1] + torch.sin(2 * x[:, 2]))[:, None]
    model = nn.Sequential(Units(3, 6), nn.Linear(18, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    kept: dict[nn.Parameter, Tensor] = {}
    with ss.watch(model, optimizer) as watch:
        for step, chosen in enumerate(batches(1000, 50, 20)):
            loss = F.mse_loss(model(x[chosen]), y[chosen])
            if 120 <= step < 300:
                loss = loss + 2e-3 * sum(p.abs().sum() for p in model.parameters())
            descend(watch, optimizer, loss, y[chosen])
            if step == 300:
                kept = {p: p.detach().abs() > 0.03 for p in model.parameters()}
            with torch.no_grad():
                for parameter, mask in kept.items():
                    parameter.mul_(mask)
    return Trained(watch, r2(model(x[1000:]), y[1000:]))


class Ratio(nn.Module):
    """An activation that learns: a cubic over 1 + |a quadratic|; it starts near SiLU."""

    def __init__(self) -> None:
        super().__init__()
        self.above = nn.Parameter(torch.tensor([0.0, 0.5, 0.25, 0.02]))
        self.below = nn.Parameter(torch.tensor([0.0, 0.1]))

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.above, self.below
        return (((a[3] * x + a[2]) * x + a[1]) * x + a[0]) / (1 + (b[0] * x + b[1] * x * x).abs())


def ratios() -> Trained:
    """A resonance curve, all of it at once, by a method of the second order."""
    x = torch.linspace(-2, 2, 300)[:, None]
    y = 1 / (0.1 + (x - 0.4) ** 2) / 5 - x / 3
    model = nn.Sequential(nn.Linear(1, 10), Ratio(), nn.Linear(10, 10), Ratio(), nn.Linear(10, 1))
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=10, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (model(x[::2]) - y[::2]).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with ss.watch(model, optimizer) as watch:
        for _ in range(18):
            watch.step(optimizer.step(closure), target=y[::2])
    return Trained(watch, r2(model(x[1::2]), y[1::2]))


class Curves(nn.Module):
    """Each edge has a curve of its own, a sum of bumps on a grid and a SiLU. [B, i] -> [B, o]"""

    def __init__(self, inputs: int, outputs: int, bumps: int = 8) -> None:
        super().__init__()
        self.register_buffer("grid", torch.linspace(-2, 2, bumps))
        self.height = nn.Parameter(0.1 * torch.randn(outputs, inputs, bumps))
        self.line = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        bumps = torch.exp(-((x[..., None] - self.grid) * 1.75).square())
        return self.line(F.silu(x)) + torch.einsum("big,oig->bo", bumps, self.height)


def edges() -> Trained:
    x = 4 * torch.rand(1400, 2) - 2
    y = torch.exp(torch.sin(3.14 * x[:, :1] / 2) + x[:, 1:] ** 2 / 4) - 1.5
    model = nn.Sequential(Curves(2, 5), Curves(5, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
    with ss.watch(model, optimizer) as watch:
        for _ in range(20):
            for chosen in batches(1200, 60, 1):
                descend(watch, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
            schedule.step()
    score = r2(model(x[1200:]), y[1200:])
    return Trained(
        watch,
        score,
        {"train": (x[:1200], y[:1200]), "valid": (x[1200:], y[1200:]), "loss_fn": F.mse_loss},
    )


CASES = [
    healthy("a formula of few terms", found),
    healthy("a resonance by ratios", ratios),
    healthy("curves on the edges", edges),
]
