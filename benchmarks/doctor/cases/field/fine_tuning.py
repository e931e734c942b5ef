"""Networks that were trained before, of which some is frozen."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy
from benchmarks.doctor.networks import dense


@functools.cache
def weights() -> dict[str, Tensor]:
    """A backbone trained to tell even digits from odd ones."""
    (x, y), _ = data.digits()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = dense(64, 64, 32, 2)
        optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
        for chosen in batches(len(x), 50, 10):
            optimizer.zero_grad()
            F.cross_entropy(network(x[chosen]), y[chosen] % 2).backward()
            optimizer.step()
    return network.state_dict()


def backbone() -> nn.Sequential:
    network = dense(64, 64, 32, 2)
    network.load_state_dict(weights())
    return network[:-1]


def fit(model: nn.Module, epochs: int, lr: float) -> Trained:
    (x, y), (xv, yv) = data.digits()
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=lr)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, epochs):
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, xv, yv), known)


def probe() -> Trained:
    frozen = backbone().requires_grad_(False)
    return fit(nn.Sequential(frozen[:2], nn.Linear(64, 10)), 20, 1e-2)


def head_and_body() -> Trained:
    """A small rate for what is there, a larger one for what is new."""
    (x, y), (xv, yv) = data.digits()
    body, head = backbone(), nn.Linear(32, 10)
    model = nn.Sequential(body, head)
    optimizer = torch.optim.AdamW(
        [
            {"params": body.parameters(), "lr": 1e-3},
            {"params": head.parameters(), "lr": 1e-2},
        ]
    )
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 8):
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, xv, yv), known)


class LowRank(nn.Module):
    """A frozen linear layer, and a product of two narrow matrices beside it."""

    def __init__(self, layer: nn.Linear, rank: int = 4) -> None:
        super().__init__()
        self.layer = layer.requires_grad_(False)
        self.down = nn.Parameter(torch.randn(rank, layer.in_features) / layer.in_features**0.5)
        self.up = nn.Parameter(torch.zeros(layer.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.layer(x) + F.linear(F.linear(x, self.down), self.up)
        return answer


def low_rank() -> Trained:
    body = backbone()
    for index in (0, 2):
        layer = body[index]
        assert isinstance(layer, nn.Linear)
        body[index] = LowRank(layer)
    return fit(nn.Sequential(body, nn.Linear(32, 10)), 15, 5e-3)


CASES = [
    healthy("linear probe", probe),
    healthy("head and body at two rates", head_and_body),
    healthy("low-rank adapters", low_rank),
]
