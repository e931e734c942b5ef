"""Densities: a loss that may fall below 0, and has no floor to know."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy
from benchmarks.doctor.networks import dense


class Coupling(nn.Module):
    """Half of the numbers moves and scales the other half, in turns."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(dense(1, 32, 2) for _ in range(layers))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        log_volume = torch.zeros(len(x))
        for layer in self.layers:
            kept, moved = x[:, :1], x[:, 1:]
            shift, log_scale = layer(kept).chunk(2, 1)
            log_scale = torch.tanh(log_scale)
            x = torch.cat([moved * log_scale.exp() + shift, kept], 1)
            log_volume = log_volume + log_scale[:, 0]
        return x, log_volume


def flow() -> Trained:
    first = torch.randn(2000, 1) * 0.3
    x = torch.cat([first, first**2 + 0.1 * torch.randn(2000, 1)], 1)
    model = Coupling(4)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1600, 80, 25):
            z, log_volume = model(x[chosen])
            likelihood = -0.5 * z.square().sum(1) - math.log(2 * math.pi) + log_volume
            descend(watch, optimizer, -likelihood.mean())
    with torch.no_grad():
        z, log_volume = model(x[1600:])
        loss = float((0.5 * z.square().sum(1) + math.log(2 * math.pi) - log_volume).mean())
    return Trained(watch, (2 - loss) / 2.3)  # a normal distribution has a loss of some 1.9


def mixture() -> Trained:
    """Three normal distributions for a number with two branches."""
    x = torch.rand(1500, 1) * 4 - 2
    sign = torch.where(torch.rand(1500, 1) < 0.5, -1.0, 1.0)
    y = sign * x.abs().sqrt() + 0.05 * torch.randn(1500, 1)
    model = dense(1, 48, 9, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        weight, mean, log_scale = output.chunk(3, 1)
        each = torch.distributions.Normal(mean, log_scale.clamp(-4, 2).exp())
        return -(weight.log_softmax(1) + each.log_prob(target)).logsumexp(1).mean()

    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 60, 30):
            descend(watch, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        loss = float(loss_fn(model(x[1200:]), y[1200:]))
    known = {"train": (x[:1200], y[:1200]), "valid": (x[1200:], y[1200:]), "loss_fn": loss_fn}
    return Trained(watch, (1.5 - loss) / 2, known)


CASES = [
    healthy("normalising flow", flow),
    healthy("mixture density", mixture),
]
