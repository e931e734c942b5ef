"""Answers that are sums of curves, each of one column, so that they can be drawn and read."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def sums(count: int) -> tuple[Tensor, Tensor]:
    """Four columns within ±2 [N, 4], and a sum of curves of three of them. [N, 1]"""
    x = 4 * torch.rand(count, 4) - 2
    y = torch.sin(2 * x[:, :1]) + 0.5 * x[:, 1:2] ** 2 - x[:, 2:3].abs()
    return x, y - y.mean() + 0.1 * torch.randn(count, 1)


class Additive(nn.Module):
    """A small network for each column; whole curves are left out by chance in training."""

    def __init__(self) -> None:
        super().__init__()
        self.curves = nn.ModuleList(dense(1, 24, 24, 1, activation=nn.GELU) for _ in range(4))
        self.drop, self.bias = nn.Dropout(0.05), nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        parts = [curve(x[:, k : k + 1]) for k, curve in enumerate(self.curves)]
        curves: Tensor = self.drop(torch.cat(parts, 1))
        return curves.sum(1, keepdim=True) + self.bias


def a_network_a_column() -> Trained:
    x, y = sums(1400)
    model = Additive()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(1100, 44, 12):
            descend(watch, optimizer, F.mse_loss(model(x[rows]), y[rows]), y[rows])
    model.eval()
    known = {"train": (x[:1100], y[:1100]), "valid": (x[1100:], y[1100:])}
    return Trained(watch, r2(model(x[1100:]), y[1100:]), {**known, "loss_fn": F.mse_loss})


class Splines(nn.Module):
    """Every edge from an input to an output has a curve of its own: hats with learned heights."""

    def __init__(self, inputs: int, outputs: int, knots: int = 9) -> None:
        super().__init__()
        self.knots: Tensor
        self.register_buffer("knots", torch.linspace(-2, 2, knots))
        self.heights = nn.Parameter(0.1 * torch.randn(inputs, knots, outputs))

    def forward(self, x: Tensor) -> Tensor:
        width = self.knots[1] - self.knots[0]
        hats = (1 - (x[..., None] - self.knots).abs() / width).clamp(min=0)
        return torch.einsum("bik,iko->bo", hats, self.heights)


def curves_on_edges() -> Trained:
    """Two layers of curves, for a product that no sum of curves is."""
    x = 4 * torch.rand(1500, 2) - 2
    y = x[:, :1] * x[:, 1:] / 2
    model = nn.Sequential(Splines(2, 5), nn.Hardtanh(-2, 2), Splines(5, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(1200, 40, 16):
            descend(watch, optimizer, F.mse_loss(model(x[rows]), y[rows]), y[rows])
    return Trained(watch, r2(model(x[1200:]), y[1200:]))


class Varying(nn.Module):
    """A linear regression whose coefficients are curves of the time of day."""

    def __init__(self) -> None:
        super().__init__()
        self.coefficients = dense(2, 24, 4, activation=nn.Tanh)

    def forward(self, hour: Tensor, x: Tensor) -> Tensor:
        turn = hour * 2 * torch.pi / 24
        b = self.coefficients(torch.cat([turn.sin(), turn.cos()], 1))
        answer: Tensor = (b[:, :3] * x).sum(1, keepdim=True) + b[:, 3:]
        return answer


def coefficients_of_the_hour() -> Trained:
    hour, x = 24 * torch.rand(1500, 1), torch.randn(1500, 3)
    turn = hour * 2 * torch.pi / 24
    y = turn.sin() * x[:, :1] + turn.cos() * x[:, 1:2] + 0.5 + 0.2 * torch.randn(1500, 1)
    model = Varying()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    loss_fn = nn.HuberLoss()
    with ss.watch(model, optimizer) as watch:
        for rows in batches(1200, 50, 15):
            optimizer.zero_grad(set_to_none=False)
            loss = loss_fn(model(hour[rows], x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    return Trained(watch, r2(model(hour[1200:], x[1200:]), y[1200:]))


CASES = [
    healthy("a small network for each column, summed", a_network_a_column),
    healthy("a curve on each edge", curves_on_edges),
    healthy("coefficients that change with the hour", coefficients_of_the_hour),
]
