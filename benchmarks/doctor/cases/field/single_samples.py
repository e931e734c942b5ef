"""Batches of one or two, as in streams and where more would not fit."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, accuracy, descend, healthy, r2
from benchmarks.doctor.networks import dense


def alarms() -> Trained:
    """Readings of machines arrive one by one, one in twelve an alarm; the rate falls slowly."""
    x = torch.randn(3600, 6)
    danger = x[:, 0] + x[:, 1] + 0.8 * x[:, 2] * x[:, 3]
    y = (danger > danger.quantile(11 / 12)).float()
    model = dense(6, 32, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    weight = torch.tensor([6.0])
    with ss.watch(model, optimizer) as watch:
        for t in range(3000):
            optimizer.param_groups[0]["lr"] = 0.02 / (1 + t / 2000) ** 0.5
            optimizer.zero_grad()
            answer = model(x[t : t + 1]).squeeze(1)
            loss = F.binary_cross_entropy_with_logits(answer, y[t : t + 1], pos_weight=weight)
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[t : t + 1])
    with torch.no_grad():
        alarm = model(x[3000:]).squeeze(1) > 0
    truth = y[3000:] > 0.5
    caught = alarm[truth].double().mean() + (~alarm)[~truth].double().mean()
    return Trained(watch, float(caught) / 2)


class Melody(nn.Module):
    """A GRU over a series [B, T, 1]; a number from the mean of its states. [B, 1]"""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.out = nn.GRU(1, 24, batch_first=True), nn.Linear(24, 1)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.gru(x)
        pitch: Tensor = self.out(states.mean(1))
        return pitch


def pairs_of_series() -> Trained:
    """The pitch of short tones, two tones a step."""
    pitch = 0.3 + 0.6 * torch.rand(900, 1)
    phase = 6.28 * torch.rand(900, 1)
    x = torch.sin(pitch * torch.arange(16) + phase)[..., None] + 0.05 * torch.randn(900, 16, 1)
    y = (pitch - 0.6) / 0.17
    model = Melody()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, betas=(0.9, 0.99))
    with ss.watch(model, optimizer) as watch:
        for _epoch in range(3):
            for pair in torch.randperm(700).split(2):
                descend(watch, optimizer, F.mse_loss(model(x[pair]), y[pair]), y[pair])
    score = r2(model(x[700:]), y[700:])
    known = {"train": (x[:700], y[:700]), "valid": (x[700:], y[700:]), "loss_fn": F.mse_loss}
    return Trained(watch, score, known)


def one_picture_a_pass() -> Trained:
    """Group norm, one picture a backward pass, eight of them a step."""
    y = torch.randint(3, (900,))
    x = 0.4 * torch.randn(900, 1, 9, 9)
    x[torch.arange(900), 0, 1 + 3 * y] += 1.0  # a line, high, in the middle or low
    shift = torch.randint(-1, 2, (900,))
    x = torch.stack([p.roll(int(s), 1) for p, s in zip(x, shift, strict=True)])
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.GroupNorm(2, 8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * 81, 3),
    )
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    with ss.watch(net, optimizer) as watch:
        for _epoch in range(2):
            for chosen in torch.randperm(720).split(8):
                optimizer.zero_grad()
                total = torch.zeros(())
                for one in chosen:
                    loss = F.cross_entropy(net(x[one : one + 1]), y[one : one + 1]) / len(chosen)
                    loss.backward()
                    total += loss.detach()
                optimizer.step()
                watch.step(total, target=y[chosen])
    return Trained(watch, accuracy(net, x[720:], y[720:]))


CASES = [
    healthy("alarms one by one", alarms),
    healthy("series two at a time", pairs_of_series),
    healthy("one picture a backward pass", one_picture_a_pass),
]
