"""Forecasts of series, and what is unusual in them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def seasons(count: int, length: int) -> Tensor:
    """A trend, a season of 12 and some noise, of each series' own level and size."""
    t = torch.arange(length)
    level, size = 50 * torch.rand(count, 1), 1 + 9 * torch.rand(count, 1)
    phase = 6.2832 * torch.rand(count, 1)
    season = torch.sin(t * 6.2832 / 12 + phase) + 0.4 * torch.sin(t * 6.2832 / 6 + 2 * phase)
    trend = 0.04 * torch.randn(count, 1) * t
    return level + size * (season + trend + 0.1 * torch.randn(count, length))


def blocks_of_residues() -> Trained:
    """Blocks that each explain a part of the past and add to the forecast (N-BEATS)."""
    series = seasons(900, 48)
    past, future = series[:, :36], series[:, 36:]
    level, size = past.mean(1, keepdim=True), past.std(1, keepdim=True)
    x, y = (past - level) / size, (future - level) / size

    class Blocks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList(dense(36, 64, 48) for _ in range(3))

        def forward(self, past: Tensor) -> Tensor:
            forecast = past.new_zeros(len(past), 12)
            for block in self.blocks:
                explained, more = block(past).split([36, 12], 1)
                past, forecast = past - explained, forecast + more
            return forecast

    model = Blocks()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(800, 40, 15):
            descend(watch, optimizer, F.l1_loss(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        return Trained(watch, r2(model(x[800:]), y[800:]))


class Causal(nn.Module):
    """Dilated convolutions that look back only, with residues."""

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Conv1d(1, 16, 1)
        self.layers = nn.ModuleList(nn.Conv1d(16, 16, 2, dilation=2**i) for i in range(4))
        self.head = nn.Conv1d(16, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.start(x[:, None])
        for i, layer in enumerate(self.layers):
            x = x + torch.tanh(layer(F.pad(x, (2**i, 0))))
        return self.head(x)


def next_value_and_spread() -> Trained:
    """A normal distribution of the next value, at each time."""
    series = seasons(500, 49)
    series = (series - series[:, :24].mean(1, keepdim=True)) / series[:, :24].std(1, keepdim=True)
    x, y = series[:, :-1], series[:, 1:]
    model = Causal()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(400, 20, 10):
            mean, log_width = model(x[chosen]).unbind(1)
            density = torch.distributions.Normal(mean, log_width.clamp(-4, 3).exp())
            loss = -density.log_prob(y[chosen])[:, 12:].mean()  # the first ones have no past
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            watch.step(loss)
    with torch.no_grad():
        return Trained(watch, r2(model(x[400:])[:, 0, 16:], y[400:, 16:]))


def patches() -> Trained:
    """Attention over pieces of the past; each series is scaled by its own past and back."""
    series = seasons(900, 60)
    past, future = series[:, :48], series[:, 48:]

    class Patches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.piece = nn.Linear(8, 32)
            self.places = nn.Parameter(0.02 * torch.randn(6, 32))
            self.layer = nn.TransformerEncoderLayer(
                32, 4, 64, 0.1, batch_first=True, norm_first=True
            )
            self.head = nn.Linear(6 * 32, 12)

        def forward(self, past: Tensor) -> Tensor:
            level, size = past.mean(1, keepdim=True), past.std(1, keepdim=True)
            x = ((past - level) / size).unfold(1, 8, 8)
            x = self.layer(self.piece(x) + self.places)
            return self.head(x.flatten(1)) * size + level

    model = Patches()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(800, 40, 12):
            model.train()
            scale = past[chosen].std(1, keepdim=True)
            error = (model(past[chosen]) - future[chosen]) / scale
            descend(watch, optimizer, F.smooth_l1_loss(error, torch.zeros_like(error)))
    model.eval()
    scale = past[800:].std(1, keepdim=True)
    with torch.no_grad():
        answer = (model(past[800:]) - past[800:].mean(1, keepdim=True)) / scale
    return Trained(watch, r2(answer, (future[800:] - past[800:].mean(1, keepdim=True)) / scale))


def anomalies() -> Trained:
    """A narrow autoencoder of what is usual; judged by how it ranks what is not."""
    x = seasons(1000, 36)
    x = (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)
    odd = x[800:].clone()
    at = torch.randint(30, (200,))
    for i in range(200):
        odd[i, at[i] : at[i] + 4] = odd[i, at[i] : at[i] + 4].flip(0) + 0.6
    model = nn.Sequential(dense(36, 48, 6), dense(6, 48, 36))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.95)
    with ss.watch(model, optimizer) as watch:
        for _ in range(30):
            for chosen in torch.randperm(800).split(40):
                descend(watch, optimizer, F.mse_loss(model(x[chosen]), x[chosen]), x[chosen])
            schedule.step()
    with torch.no_grad():
        usual, unusual = ((model(v) - v).square().mean(1) for v in (x[800:], odd))
    return Trained(watch, float((unusual[:, None] > usual).double().mean()))


CASES = [
    healthy("blocks that explain residues", blocks_of_residues),
    healthy("the next value and its spread", next_value_and_spread),
    healthy("attention over pieces of a series", patches),
    healthy("what is unusual in a series", anomalies),
]
