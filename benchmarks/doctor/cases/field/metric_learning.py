"""Embeddings, by distances: the loss is no error, and the outputs are no classes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import (
    Trained,
    batches,
    descend,
    faulty_and_cured,
    healthy,
)
from benchmarks.doctor.networks import dense


@torch.no_grad()
def nearest_neighbour(model: nn.Module) -> float:
    """The accuracy of the nearest training sample's label."""
    (x, y), (xv, yv) = data.digits()
    nearest = torch.cdist(model.eval()(xv), model(x)).argmin(1)
    return float((y[nearest] == yv).double().mean())


def siamese() -> Trained:
    """Pairs of one class are drawn together, others held apart by a margin."""
    (x, y), _ = data.digits()
    model = dense(64, 64, 8)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 12):
            other = chosen[torch.randperm(len(chosen))]
            same = (y[chosen] == y[other]).float()
            distance = F.pairwise_distance(model(x[chosen]), model(x[other]))
            loss = same * distance.square() + (1 - same) * F.relu(1 - distance).square()
            descend(watch, optimizer, loss.mean(), same)
    return Trained(watch, nearest_neighbour(model))


def triplet() -> Trained:
    (x, y), _ = data.digits()
    members = [torch.nonzero(y == digit).flatten() for digit in range(10)]
    model = dense(64, 64, 16)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_fn = nn.TripletMarginLoss(margin=0.5)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 10):
            own = y[chosen].tolist()
            like = torch.stack([members[d][torch.randint(len(members[d]), ())] for d in own])
            unlike = [members[(d + int(torch.randint(1, 10, ()))) % 10] for d in own]
            other = torch.stack([m[torch.randint(len(m), ())] for m in unlike])
            loss = loss_fn(model(x[chosen]), model(x[like]), model(x[other]))
            descend(watch, optimizer, loss)
    return Trained(watch, nearest_neighbour(model))


def hardest(margin: float | None = None, lr: float = 1e-3) -> Trained:
    """In each batch, the furthest of the same class against the nearest of another; up to a margin,
    or without end.
    """
    (x, y), (xv, yv) = data.digits()

    def loss_fn(code: Tensor, label: Tensor) -> Tensor:
        distance = (code[:, None] - code).square().sum(-1).clamp_min(1e-12).sqrt()
        same = label[:, None] == label
        furthest = (distance - 1e9 * ~same).amax(1)
        nearest = (distance + 1e9 * same).amin(1)
        if margin is None:
            return F.softplus(furthest - nearest).mean()
        return F.relu(furthest - nearest + margin).mean()

    model = dense(64, 128, 16) if margin is None else dense(64, 128, 128, 16)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 100, 20):
            descend(watch, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    return Trained(
        watch,
        nearest_neighbour(model),
        {"train": (x, y), "valid": (xv, yv), "loss_fn": loss_fn},
    )


CASES = [
    healthy("siamese", siamese),
    healthy("triplets", triplet),
    healthy("triplets, hardest of the batch", hardest),
    *faulty_and_cured(
        "triplets up to a margin, Adam .3",
        "triplets up to a margin, Adam .001",
        "representation_collapsed",
        lambda cured: hardest(0.5, 1e-3 if cured else 0.3),
    ),
]
