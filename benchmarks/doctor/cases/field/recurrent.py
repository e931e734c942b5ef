"""Sequences of numbers, by recurrent layers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy, r2


class Last(nn.Module):
    """The last state of a recurrent layer, and a linear layer on it."""

    def __init__(self, layer: nn.Module, width: int, outputs: int) -> None:
        super().__init__()
        self.layer, self.out = layer, nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.out(self.layer(x)[0][:, -1])
        return answer


def series() -> Trained:
    """The next number of a noisy sine wave of any frequency."""
    phase, pace = torch.rand(900, 1) * 6.3, 0.2 + torch.rand(900, 1) * 0.6
    wave = torch.sin(phase + pace * torch.arange(21)) + 0.05 * torch.randn(900, 21)
    x, y = wave[:, :20, None], wave[:, 20:]
    model = Last(nn.LSTM(1, 32, batch_first=True), 32, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(700, 50, 15):
            descend(watch, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
    data = {"train": (x[:700], y[:700]), "valid": (x[700:], y[700:]), "loss_fn": F.mse_loss}
    return Trained(watch, r2(model(x[700:]), y[700:]), data)


def largest() -> Trained:
    """Where in a sequence its largest number stood: in the first third, the second or the third."""
    x = torch.randn(1500, 15, 1)
    y = x[:, :, 0].argmax(1) // 5
    model = Last(nn.GRU(1, 32, batch_first=True), 32, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 100, 18):
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            watch.step(loss, target=y[chosen])
    data = {"train": (x[:1200], y[:1200]), "valid": (x[1200:], y[1200:])}
    return Trained(watch, accuracy(model, x[1200:], y[1200:]), data)


def running_sum() -> Trained:
    """At every step, the mean of the numbers so far: targets [B, T, 1]."""
    x = torch.randn(800, 12, 1)
    y = x.cumsum(1) / torch.arange(1, 13)[:, None]

    class Each(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.out = nn.RNN(1, 32, batch_first=True), nn.Linear(32, 1)

        def forward(self, x: Tensor) -> Tensor:
            answer: Tensor = self.out(self.rnn(x)[0])
            return answer

    model = Each()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(600, 30, 12):
            descend(watch, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
    data = {"train": (x[:600], y[:600]), "valid": (x[600:], y[600:]), "loss_fn": nn.MSELoss()}
    return Trained(watch, r2(model(x[600:]), y[600:]), data)


CASES = [
    healthy("LSTM, the next number of a wave", series),
    healthy("GRU, where the largest number stood", largest),
    healthy("RNN, a number at each step", running_sum),
]
