"""Losses that rise on purpose, because the task or a penalty grows while the network learns."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy
from benchmarks.doctor.networks import dense


class Adder(nn.Module):
    """A GRU that answers with the sum of the marked numbers. [B, T, 2] -> [B, 1]"""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.out = nn.GRU(2, 32, batch_first=True), nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.gru(x)
        total: Tensor = self.out(states[:, -1])
        return total


def sums(count: int, length: int) -> tuple[Tensor, Tensor]:
    """Numbers and marks [count, length, 2], a mark at every second place or so, and their sums."""
    numbers = torch.rand(count, length) * 2 - 1
    marks = torch.randint(2, (count, length)).float()
    return torch.stack([numbers, marks], 2), (numbers * marks).sum(1, keepdim=True)


def longer_and_longer() -> Trained:
    """Sums of 2 numbers, later of 4, 7 and 10: each time the loss leaps up and falls again."""
    model = Adder()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for length in (2, 4, 7, 10):
            for _ in range(150):
                x, y = sums(64, length)
                optimizer.zero_grad()
                loss = F.mse_loss(model(x), y)
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                watch.step(loss, target=y)
    x, y = sums(500, 10)
    with torch.no_grad():
        error = float(F.mse_loss(model(x), y) / y.var())
    return Trained(watch, 1 - error)


def growing_attack() -> Trained:
    """Inputs are moved against the network, further and further; it is judged without and with."""
    y = torch.randint(3, (1500,))
    centres = 3.0 * torch.eye(3, 8)
    x = centres[y] + 0.6 * torch.randn(1500, 8)
    model = dense(8, 64, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    steps = list(batches(1200, 30, 12))
    with ss.watch(model, optimizer) as watch:
        for number, chosen in enumerate(steps):
            far = 1.0 * number / len(steps)
            clean = x[chosen].requires_grad_()
            (slope,) = torch.autograd.grad(F.cross_entropy(model(clean), y[chosen]), clean)
            moved = (clean + far * slope.sign()).detach()
            descend(watch, optimizer, F.cross_entropy(model(moved), y[chosen]), y[chosen])
    known = {
        "train": (x[:1200], y[:1200]),
        "valid": (x[1200:], y[1200:]),
        "loss_fn": F.cross_entropy,
    }
    return Trained(watch, accuracy(model, x[1200:], y[1200:]), known)


class Codes(nn.Module):
    """An encoder to a mean and a spread, a draw, and a decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = dense(12, 48, 6), dense(3, 48, 12)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = self.encoder(x).chunk(2, 1)
        code = mean + torch.randn_like(mean) * (0.5 * logvar).exp()
        return self.decoder(code), mean, logvar


def penalty_switched_on() -> Trained:
    """The divergence of a variational autoencoder is left out at first and counts fully later."""
    x = torch.tanh(torch.randn(1300, 3) @ torch.randn(3, 12)) + 0.1 * torch.randn(1300, 12)
    model = Codes()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    steps = list(batches(1000, 40, 20))
    with ss.watch(model, optimizer) as watch:
        for number, chosen in enumerate(steps):
            output, mean, logvar = model(x[chosen])
            error = 10 * (output - x[chosen]).square().sum(1).mean()
            divergence = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum(1).mean()
            weight = min(1.0, max(0.0, 2 * number / len(steps) - 0.3))
            loss = error + weight * divergence
            parts = {"error": error, "divergence": weight * divergence}
            descend(watch, optimizer, loss, parts=parts)
    with torch.no_grad():
        output, _, _ = model(x[1000:])
        error = (output - x[1000:]).square().mean() / x[1000:].var()
    return Trained(watch, 1 - float(error))


CASES = [
    healthy("sums of more and more numbers", longer_and_longer),
    healthy("an attack that grows", growing_attack),
    healthy("a divergence switched on", penalty_switched_on),
]
