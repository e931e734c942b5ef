"""Messages through noise, a few measurements, and a few bits: the loss has a floor that nobody can
get below.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy
from benchmarks.doctor.networks import dense


def modulated() -> Trained:
    """Sixteen messages as points of a plane of limited power, told apart behind noise."""
    sender, receiver = dense(16, 32, 2), dense(2, 48, 16)

    class Link(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.sender, self.receiver = sender, receiver

        def forward(self, message: Tensor) -> Tensor:
            point = self.sender(F.one_hot(message, 16).float())
            point = point / point.square().sum(1).mean().sqrt()
            return self.receiver(point + 0.15 * torch.randn_like(point))

    model = Link()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(800):
            message = torch.randint(16, (128,))
            descend(watch, optimizer, F.cross_entropy(model(message), message), message)
    message = torch.randint(16, (4000,))
    with torch.no_grad():
        right = (model(message).argmax(1) == message).double().mean()
    return Trained(watch, float(right))


def few_measurements() -> Trained:
    """A picture of 64 pixels from twelve sums that are learned with what reads them."""
    (x, _), (xv, _) = data.digits()
    model = nn.Sequential(nn.Linear(64, 12, bias=False), dense(12, 96, 64), nn.Sigmoid())
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 25):
            descend(watch, optimizer, F.mse_loss(model(x[chosen]), x[chosen]), x[chosen])
    with torch.no_grad():
        left = (model(xv) - xv).square().sum() / (xv - x.mean(0)).square().sum()
    return Trained(watch, 1 - float(left), {"train": (x, x), "valid": (xv, xv)})


class Sign(torch.autograd.Function):
    """-1 or 1; the gradient goes through where the input is small."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grads[0] * (x.abs() <= 1)


def bits_that_flip() -> Trained:
    """Eight bits for a digit's class and picture, of which each flips once in twenty times."""
    (x, y), (xv, yv) = data.digits()
    sign = Sign.apply

    class Coded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = dense(64, 64, 16), dense(16, 64, 10)

        def forward(self, x: Tensor) -> Tensor:
            bits = sign(self.encoder(x))
            flips = torch.where(torch.rand_like(bits) < 0.05, -1.0, 1.0)
            return self.decoder(bits * flips)

    model = Coded()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 25):
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        right = (model(xv).argmax(1) == yv).double().mean()
    return Trained(watch, float(right))


def rate_and_distortion() -> Trained:
    """Codes rounded by noise, their cost in bits beside the error; the sum is what is reported."""
    (x, _), (xv, _) = data.digits()

    class Codec(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = dense(64, 96, 12), dense(12, 96, 64)
            self.width = nn.Parameter(torch.zeros(12))

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            code = self.encoder(x)
            code = code + torch.rand_like(code) - 0.5 if self.training else code.round()
            normal = torch.distributions.Normal(0.0, self.width.exp())
            p = normal.cdf(code + 0.5) - normal.cdf(code - 0.5)
            return self.decoder(code), -p.clamp_min(1e-9).log2().sum(1).mean()

    model = Codec()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 25):
            made, bits = model(x[chosen])
            error = (made - x[chosen]).square().sum(1).mean()
            descend(watch, optimizer, error + 0.02 * bits, x[chosen])
    with torch.no_grad():
        left = (model.eval()(xv)[0] - xv).square().sum() / (xv - x.mean(0)).square().sum()
    return Trained(watch, 1 - float(left))


CASES = [
    healthy("messages through noise", modulated),
    healthy("a picture from twelve sums", few_measurements),
    healthy("bits that flip", bits_that_flip),
    healthy("error and bits", rate_and_distortion),
]
