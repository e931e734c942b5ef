"""Forecasts in the manner of recent papers: stacks, dilated filters, a density, a trend."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, healthy, r2


def many(count: int, length: int) -> Tensor:
    """Series [N, length] with a season of 8 and of 12, a slope and noise."""
    t = torch.arange(length)
    a, b, c = torch.rand(3, count, 1)
    season = torch.sin(6.283 * (t / 8 + a)) + 0.6 * torch.sin(6.283 * (t / 12 + b))
    return season + (c - 0.5) * t / 16 + 0.1 * torch.randn(count, length)


class NBlock(nn.Module):
    """Says what it explains of the past, and what follows from it."""

    def __init__(self, past: int, ahead: int, hidden: int = 48):
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(past, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.back, self.fore = nn.Linear(hidden, past), nn.Linear(hidden, ahead)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.fc(x)
        return self.back(h), self.fore(h)


def residual_stack() -> Trained:
    """N-BEATS in small, by the scaled absolute error."""
    series = many(700, 32)
    past, future = series[:, :24], series[:, 24:]

    class Stack(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList(NBlock(24, 8) for _ in range(3))

        def forward(self, x: Tensor) -> Tensor:
            total = x[:, -1:] * 0
            for block in self.blocks:
                back, fore = block(x)
                x, total = x - back, total + fore
            return total

    net = Stack()
    opt = torch.optim.Adam(net.parameters(), 2e-3)
    plan = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 15)

    def smape(pred: Tensor, true: Tensor) -> Tensor:
        return ((pred - true).abs() / (pred.abs() + true.abs() + 0.5).detach()).mean()

    with ss.watch(net, opt) as watch:
        for _ in range(15):
            for rows in torch.randperm(600).split(32):
                loss = smape(net(past[rows]), future[rows])
                opt.zero_grad()
                loss.backward()
                opt.step()
                watch.step(loss, target=future[rows])
            plan.step()
    known = {"train": (past[:600], future[:600]), "valid": (past[600:], future[600:])}
    with torch.no_grad():
        return Trained(watch, r2(net(past[600:]), future[600:]), {**known, "loss_fn": smape})


class Causal(nn.Conv1d):
    """Sees nothing of what comes later."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, ((self.kernel_size[0] - 1) * self.dilation[0], 0)))


def dilated_filters() -> Trained:
    """A temporal convolution net that says the next value at every place."""
    series = many(500, 33)[:, None]

    class TCN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.start = nn.Conv1d(1, 16, 1)
            self.layers = nn.ModuleList(Causal(16, 32, 3, dilation=2**i) for i in range(3))
            self.out = nn.Conv1d(16, 1, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.start(x)
            for layer in self.layers:
                value, gate = layer(x).chunk(2, 1)
                x = x + torch.tanh(value) * torch.sigmoid(gate)
            return self.out(x)

    model = TCN()
    opt = torch.optim.AdamW(model.parameters(), lr=6e-3)
    with ss.watch(model, opt) as watch:
        for rows in batches(400, 32, 8):
            x, y = series[rows, :, :-1], series[rows, :, 1:]
            opt.zero_grad()
            loss = F.huber_loss(model(x)[..., 8:], y[..., 8:])
            loss.backward()
            opt.step()
            watch.step(loss, target=y)
    x, y = series[400:, :, :-1], series[400:, :, 1:]
    with torch.no_grad():
        score = r2(model(x)[..., 8:].flatten(), y[..., 8:].flatten())
    known = {"train": (series[:400, :, :-1], series[:400, :, 1:]), "valid": (x, y)}
    return Trained(watch, score, known)


def density_of_the_next() -> Trained:
    """DeepAR: a GRU that gives the parameters of Student's t, with heavy tails in the data."""
    series = many(400, 25)
    shocks = torch.distributions.StudentT(3.0).sample(series.shape) * 0.1
    series = (series + shocks)[..., None]

    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.head = nn.GRU(1, 32, batch_first=True), nn.Linear(32, 3)

        def forward(self, x: Tensor) -> torch.distributions.StudentT:
            loc, scale, df = self.head(self.rnn(x)[0]).unbind(-1)
            return torch.distributions.StudentT(2 + F.softplus(df), loc, F.softplus(scale) + 1e-3)

    net = Deep()
    opt = torch.optim.Adam(net.parameters(), 1e-2)
    with ss.watch(net, opt) as watch:
        for rows in batches(320, 32, 12):
            x, y = series[rows, :-1], series[rows, 1:, 0]
            nll = -net(x).log_prob(y).mean()
            opt.zero_grad()
            nll.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 10.0)
            opt.step()
            watch.step(nll, target=y)
    x, y = series[320:, :-1], series[320:, 1:, 0]
    with torch.no_grad():
        return Trained(watch, r2(net(x).loc[:, 6:].flatten(), y[:, 6:].flatten()))


def trend_and_season_apart() -> Trained:
    """DLinear: two linear maps, one for a moving mean and one for what is left; no hidden layer."""
    series = many(900, 32)
    x, y = series[:, :24], series[:, 24:]

    class DLinear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trend, self.season = nn.Linear(24, 8), nn.Linear(24, 8)

        def forward(self, x: Tensor) -> Tensor:
            padded = F.pad(x[:, None], (4, 4), mode="replicate")
            trend = F.avg_pool1d(padded, 9, 1)[:, 0]
            return self.trend(trend) + self.season(x - trend)

    model = DLinear()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    criterion = nn.MSELoss()
    with ss.watch(model, optimizer) as watch:
        for epoch in range(20):
            for idx in torch.randperm(700).split(32):
                optimizer.zero_grad()
                loss = criterion(model(x[idx]), y[idx])
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[idx])
            for g in optimizer.param_groups:
                g["lr"] = 5e-3 * 0.9**epoch
    with torch.no_grad():
        score = r2(model(x[700:]), y[700:])
    known = {"train": (x[:700], y[:700]), "valid": (x[700:], y[700:]), "loss_fn": criterion}
    return Trained(watch, score, known)


CASES = [
    healthy("a stack that explains what is left", residual_stack),
    healthy("dilated filters with gates", dilated_filters),
    healthy("heavy tails of the next value", density_of_the_next),
    healthy("trend and season apart", trend_and_season_apart),
]
