"""Networks that give back their input."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def images() -> tuple[Tensor, Tensor]:
    (x, _), (xv, _) = data.digits()
    return x, xv


def autoencoder() -> Trained:
    x, xv = images()
    model = nn.Sequential(dense(64, 48, 16), dense(16, 48, 64, end=nn.Sigmoid()))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 20):
            descend(watch, optimizer, F.mse_loss(model(x[chosen]), x[chosen]), x[chosen])
    with torch.no_grad():
        score = r2(model(xv), xv)
    return Trained(watch, score, {"train": (x, x), "valid": (xv, xv), "loss_fn": F.mse_loss})


def convolutional() -> Trained:
    x, xv = (part.view(-1, 1, 8, 8) for part in images())
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 16, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 12):
            loss = F.mse_loss(model(x[chosen]), x[chosen])
            descend(watch, optimizer, loss)  # no target: the input is its own
    with torch.no_grad():
        score = r2(model(xv), xv)
    return Trained(watch, score)


class Variational(nn.Module):
    """Gives the image, and mean and log variance of its code."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = dense(64, 64, 16), dense(8, 64, 64)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.encoder(x).chunk(2, 1)
        code = mean + torch.randn(mean.shape) * (log_variance / 2).exp()
        return self.decoder(code), mean, log_variance


def variational() -> Trained:
    x, xv = images()
    model = Variational()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 20):
            logits, mean, log_variance = model(x[chosen])
            rebuilt = F.binary_cross_entropy_with_logits(logits, x[chosen], reduction="sum")
            divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()
            rebuilt, divergence = rebuilt / len(chosen), divergence / len(chosen)
            loss = rebuilt + divergence
            parts = {"rebuilt": rebuilt, "divergence": divergence}
            descend(watch, optimizer, loss, x[chosen], parts=parts)
    with torch.no_grad():
        score = r2(model(xv)[0].sigmoid(), xv) / 0.6
    return Trained(watch, score, {"train": (x, x), "valid": (xv, xv)})


CASES = [
    healthy("autoencoder", autoencoder),
    healthy("convolutional autoencoder, no target", convolutional),
    healthy("variational autoencoder", variational),
]
