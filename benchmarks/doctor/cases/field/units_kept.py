"""Numbers in their own units: kelvins, euros and metres, with a network or a loss made for it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


class InUnits(nn.Module):
    """Standardises what comes in and undoes it at the end, by numbers of the training data."""

    def __init__(self, body: nn.Module, x: Tensor, y: Tensor) -> None:
        super().__init__()
        self.body = body
        for name, of in (("x", x), ("y", y)):
            self.register_buffer(f"{name}_mean", of.mean(0))
            self.register_buffer(f"{name}_std", of.std(0))

    def forward(self, x: Tensor) -> Tensor:
        return self.body((x - self.x_mean) / self.x_std) * self.y_std + self.y_mean


def kelvins() -> Trained:
    """A temperature near 290 kelvins from raw pressure, height and hour; the loss is in kelvins."""
    pressure = 101325 + 900 * torch.randn(1000, 1)
    height, hour = 3000 * torch.rand(1000, 1), 24 * torch.rand(1000, 1)
    y = (
        291
        - 0.0065 * height
        + 5 * torch.sin((hour - 9) / 24 * 6.2832)
        + 0.001 * (pressure - 101325)
    )
    y = y + 0.5 * torch.randn(1000, 1)
    x = torch.cat([pressure, height, hour], 1)
    model = InUnits(dense(3, 48, 48, 1, activation=nn.SiLU), x[:800], y[:800])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    loss_fn = nn.L1Loss()
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(800, 40, 25):
            descend(watch, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    known = {"train": (x[:800], y[:800]), "valid": (x[800:], y[800:]), "loss_fn": loss_fn}
    return Trained(watch, r2(model(x[800:]), y[800:]), known)


def relative_error() -> Trained:
    """Amounts from 1 to 100,000, whose error counts in parts of them; the network ends in exp."""
    x = torch.rand(1200, 3)
    y = torch.exp(11 * x[:, :1] * (0.5 + 0.5 * x[:, 1:2]) + 0.1 * torch.randn(1200, 1))

    class Amount(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = dense(3, 48, 48, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.body(x).exp()

    model = Amount()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    def loss_fn(output: Tensor, y: Tensor) -> Tensor:
        return ((output - y).abs() / (output.detach() + y)).mean() * 2

    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1000, 40, 30):
            descend(watch, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    return Trained(watch, r2(model(x[1000:]).log(), y[1000:].log()))


def bias_at_the_mean() -> Trained:
    """Rents near 900 euros: the last bias starts there, and the rate fits errors of hundreds."""
    x = torch.randn(900, 6)
    y = 900 + 150 * x[:, :1] + 80 * torch.tanh(2 * x[:, 1:2]) * x[:, 2:3] + 20 * torch.randn(900, 1)
    model = dense(6, 64, 64, 1)
    nn.init.constant_(model[-1].bias, 900.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(700, 35, 60):
            descend(
                watch, optimizer, F.huber_loss(model(x[chosen]), y[chosen], delta=50.0), y[chosen]
            )
    known = {"train": (x[:700], y[:700]), "valid": (x[700:], y[700:]), "loss_fn": F.mse_loss}
    return Trained(watch, r2(model(x[700:]), y[700:]), known)


def three_units() -> Trained:
    """A length in metres, a weight in kilos and a price in cents, each by its own spread."""
    x = torch.randn(1000, 8)
    base = torch.tanh(x @ torch.randn(8, 3) / 2)
    y = base * torch.tensor([0.1, 12.0, 4000.0]) + torch.tensor([1.7, 70.0, 15000.0])
    y = y * (1 + 0.002 * torch.randn(1000, 3))
    spread = y[:800].std(0)
    model = InUnits(dense(8, 64, 3, activation=nn.Tanh), x[:800], y[:800])
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)

    def loss_fn(output: Tensor, y: Tensor) -> Tensor:
        return ((output - y) / spread).square().mean()

    with ss.watch(model, optimizer) as watch:
        for chosen in batches(800, 40, 25):
            descend(watch, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    score = r2((model(x[800:]) / spread), y[800:] / spread)
    return Trained(watch, score, {"train": (x[:800], y[:800]), "valid": (x[800:], y[800:])})


CASES = [
    healthy("kelvins", kelvins),
    healthy("parts of an amount", relative_error),
    healthy("a bias at 900 euros", bias_at_the_mean),
    healthy("metres, kilos and cents", three_units),
]
