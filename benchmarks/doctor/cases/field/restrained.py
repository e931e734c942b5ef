"""Networks that are held back on purpose: decay, dropout, norms of the weights, sparse codes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def classify(model: nn.Module, optimizer: torch.optim.Optimizer, epochs: int = 10) -> Trained:
    (x, y), (xv, yv) = data.digits()
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, epochs):
            model.train()
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, xv, yv), known)


def decayed() -> Trained:
    model = dense(64, 96, 10)
    return classify(model, torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1.0))


def dropped() -> Trained:
    model = nn.Sequential(
        nn.Dropout(0.2),
        nn.Linear(64, 128),
        nn.ReLU(),
        nn.Dropout(0.6),
        nn.Linear(128, 128),
        nn.ReLU(),
        nn.Dropout(0.6),
        nn.Linear(128, 10),
    )
    return classify(model, torch.optim.Adam(model.parameters(), lr=2e-3), 12)


def normed(norm: str) -> Trained:
    wrap = spectral_norm if norm == "spectral" else weight_norm
    model = nn.Sequential(
        wrap(nn.Linear(64, 64)),
        nn.LeakyReLU(0.1),
        wrap(nn.Linear(64, 64)),
        nn.LeakyReLU(0.1),
        nn.Linear(64, 10),
    )
    return classify(model, torch.optim.Adam(model.parameters(), lr=3e-3))


def small_batches() -> Trained:
    """Batch normalisation with four samples at a time."""
    (x, y), (xv, yv) = data.digits()
    model = nn.Sequential(nn.Linear(64, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Linear(48, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 4, 3):
            model.train()
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, xv, yv), known)


def sparse_code() -> Trained:
    """An autoencoder whose many units are mostly to be silent."""
    (x, _), (xv, _) = data.digits()

    class Sparse(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.code, self.back = nn.Linear(64, 160), nn.Linear(160, 64, bias=False)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            code = F.relu(self.code(x))
            return self.back(code), code

    model = Sparse()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 12):
            again, code = model(x[chosen])
            loss = F.mse_loss(again, x[chosen]) + 2e-3 * code.abs().sum(1).mean()
            descend(watch, optimizer, loss, x[chosen])
    with torch.no_grad():
        score = r2(model(xv)[0], xv)
    return Trained(watch, score, {"train": (x, x), "valid": (xv, xv)})


CASES = [
    healthy("strong decay", decayed),
    healthy("strong dropout", dropped),
    healthy("spectral norm", lambda: normed("spectral")),
    healthy("weight norm", lambda: normed("weight")),
    healthy("batch norm of four", small_batches),
    healthy("sparse code", sparse_code),
]
