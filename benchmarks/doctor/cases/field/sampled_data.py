"""Samples that are drawn, weighed or mixed on purpose."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy
from benchmarks.doctor.networks import dense


def uneven() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Digits, of which 0 to 4 are there ten times as often as 5 to 9."""
    (x, y), (xv, yv) = data.digits()
    stays = (y < 5) | (torch.rand(len(y)) < 0.1)
    return (x[stays], y[stays]), (xv, yv)


def balanced(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """The mean over the classes of how often each is recognised."""
    with torch.no_grad():
        right = model.eval()(x).argmax(1) == y
    classes = y.unique()
    return float(torch.stack([right[y == c].double().mean() for c in classes]).mean())


def drawn() -> Trained:
    """A loader that draws rare classes more often."""
    (x, y), (xv, yv) = uneven()
    weight = (1 / torch.bincount(y).float())[y]
    sampler = WeightedRandomSampler(weight.tolist(), 1000)
    loader = DataLoader(TensorDataset(x, y), batch_size=50, sampler=sampler)
    model = dense(64, 64, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(10):
            for xb, yb in loader:
                descend(watch, optimizer, F.cross_entropy(model(xb), yb), yb)
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, balanced(model, xv, yv), known)


def weighed() -> Trained:
    """One digit against all others, the rare answer weighed by how rare it is."""
    (x, y), (xv, yv) = data.digits()
    y, yv = (y == 8).float()[:, None], (yv == 8).float()[:, None]
    loss_fn = nn.BCEWithLogitsLoss(pos_weight=(1 - y.mean()) / y.mean())
    model = dense(64, 48, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 12):
            descend(watch, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        yes = model(xv) > 0
    recalls = [float((yes == (yv > 0))[yv == side].double().mean()) for side in (0, 1)]
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": loss_fn}
    return Trained(watch, sum(recalls) / 2, known)


def mixed() -> Trained:
    """Patches cut from other images, and smoothed labels."""
    (x, y), (xv, yv) = data.digits()
    image = x.view(-1, 1, 8, 8)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(),
        nn.Linear(512, 10),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    loss_fn = nn.CrossEntropyLoss(label_smoothing=0.1)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 10):
            model.train()
            other = chosen[torch.randperm(len(chosen))]
            side = int(torch.randint(2, 6, ()))
            top, left = torch.randint(0, 8 - side + 1, (2,)).tolist()
            pasted = image[chosen].clone()
            here = (..., slice(top, top + side), slice(left, left + side))
            pasted[here] = image[other][here]
            share = side**2 / 64
            logits = model(pasted)
            loss = (1 - share) * loss_fn(logits, y[chosen]) + share * loss_fn(logits, y[other])
            descend(watch, optimizer, loss, y[chosen])
    with torch.no_grad():
        right = model.eval()(xv.view(-1, 1, 8, 8)).argmax(1) == yv
    known = {"train": (image, y), "valid": (xv.view(-1, 1, 8, 8), yv)}
    return Trained(watch, float(right.double().mean()), known)


def easy_first() -> Trained:
    """A curriculum: first the samples that a small model finds easy, then all."""
    (x, y), (xv, yv) = data.digits()
    centre = torch.stack([x[y == d].mean(0) for d in range(10)])
    order = (x - centre[y]).square().sum(1).argsort()
    model = dense(64, 64, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    with ss.watch(model, optimizer) as watch:
        for share in (0.3, 0.5, 0.7, 0.9, 1, 1, 1, 1):
            known_so_far = order[: int(share * len(order))]
            for chosen in known_so_far[torch.randperm(len(known_so_far))].split(50):
                descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, balanced(model, xv, yv), known)


CASES = [
    healthy("rare classes drawn more often", drawn),
    healthy("a rare answer weighed", weighed),
    healthy("pasted patches, smoothed labels", mixed),
    healthy("easy samples first", easy_first),
]
