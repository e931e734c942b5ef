"""Codes that are one of a few: gradients that pass straight through, and choices that harden."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


class Quantized(nn.Module):
    """An autoencoder with four codes of 32 each: a vector-quantised one."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = dense(64, 64, 32), dense(32, 64, 64)
        self.codes = nn.Parameter(0.5 * torch.randn(32, 8))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = self.encoder(x).view(-1, 4, 8)
        nearest = torch.cdist(z.reshape(-1, 8), self.codes).argmin(1)
        chosen = self.codes[nearest].view_as(z)
        commitment = F.mse_loss(chosen, z.detach()) + 0.25 * F.mse_loss(z, chosen.detach())
        straight = z + (chosen - z).detach()
        return self.decoder(straight.flatten(1)), commitment


def quantized() -> Trained:
    (x, _), (xv, _) = data.digits()
    model = Quantized()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 15):
            again, commitment = model(x[chosen])
            descend(watch, optimizer, F.mse_loss(again, x[chosen]) + commitment, x[chosen])
    with torch.no_grad():
        score = r2(model(xv)[0], xv)
    return Trained(watch, score, {"train": (x, x), "valid": (xv, xv)})


def gumbel() -> Trained:
    """A hidden choice of one in 16, drawn softly, and harder as the training goes on."""
    (x, _), (xv, _) = data.digits()
    encoder, decoder = dense(64, 64, 64), dense(64, 64, 64)
    model = nn.ModuleDict({"encoder": encoder, "decoder": decoder})
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for step, chosen in enumerate(batches(len(x), 50, 15)):
            heat = max(0.5, 2 * 0.995**step)
            choice = F.gumbel_softmax(encoder(x[chosen]).view(-1, 4, 16), tau=heat, hard=False)
            again = torch.sigmoid(decoder(choice.flatten(1)))
            descend(watch, optimizer, F.binary_cross_entropy(again, x[chosen]), x[chosen])
    with torch.no_grad():
        best = F.one_hot(encoder(xv).view(-1, 4, 16).argmax(-1), 16).float()
        score = r2(torch.sigmoid(decoder(best.flatten(1))), xv)
    return Trained(watch, score)


class Binary(torch.autograd.Function):
    """The sign, with the gradient of a clipped identity."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return gradients[0] * (x.abs() <= 1)


def binary_units() -> Trained:
    (x, y), (xv, yv) = data.digits()

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.norm = nn.Linear(64, 128), nn.BatchNorm1d(128)
            self.out = nn.Linear(128, 10)

        def forward(self, x: Tensor) -> Tensor:
            answer: Tensor = self.out(Binary.apply(self.norm(self.into(x))) / 8)
            return answer

    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 10):
            model.train()
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, xv, yv), known)


CASES = [
    healthy("quantised autoencoder", quantized),
    healthy("choices drawn softly", gumbel),
    healthy("units of two values", binary_units),
]
