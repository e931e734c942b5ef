"""Classes that are several at once, rare, or partly wrong."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy
from benchmarks.doctor.networks import dense


def several() -> Trained:
    """Four yes/no labels of a digit at once."""
    (x, y), (xv, yv) = data.digits()

    def code(digit: Tensor) -> Tensor:
        return torch.stack([digit % 2, digit // 5, digit % 3 == 0, digit == 7], 1).float()

    model = dense(64, 64, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    loss_fn = nn.BCEWithLogitsLoss()
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 15):
            target = code(y[chosen])
            descend(watch, optimizer, loss_fn(model(x[chosen]), target), target)
    with torch.no_grad():
        score = float(((model(xv) > 0) == code(yv).bool()).double().mean())
    return Trained(
        watch, score, {"train": (x, code(y)), "valid": (xv, code(yv)), "loss_fn": loss_fn}
    )


def rare() -> Trained:
    """One class in twelve, weighted as its share asks for; scored by the mean recall."""
    x = torch.randn(2400, 8)
    y = (x[:, 0] + x[:, 1] ** 2 / 2 > 2.2).long()
    share = y.bincount() / len(y)
    weight = 1 / (2 * share)
    model = dense(8, 32, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    loss_fn = nn.CrossEntropyLoss(weight=weight)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(2000, 64, 12):
            descend(watch, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        answer, truth = model(x[2000:]).argmax(1), y[2000:]
    score = sum(float((answer[truth == c] == c).double().mean()) for c in (0, 1)) / 2
    return Trained(
        watch,
        score,
        {"train": (x[:2000], y[:2000]), "valid": (x[2000:], y[2000:]), "loss_fn": loss_fn},
    )


def partly_wrong() -> Trained:
    """A tenth of the training labels is any label; the validation labels are right."""
    (x, y), (xv, yv) = data.digits()
    y = torch.where(torch.rand(len(y)) < 0.07, torch.randint(10, y.shape), y)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-4)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 64, 10):
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    score = accuracy(model, xv, yv)
    return Trained(watch, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy})


def focal() -> Trained:
    """Focal loss on a binary label."""
    (x, y), (xv, yv) = data.digits()
    model = dense(64, 48, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        each = F.binary_cross_entropy_with_logits(output[:, 0], target, reduction="none")
        return ((1 - torch.exp(-each)) ** 2 * each).mean()

    target = (y == 3).float()
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 12):
            descend(watch, optimizer, loss_fn(model(x[chosen]), target[chosen]), target[chosen])
    with torch.no_grad():
        score = float(((model(xv)[:, 0] > 0) == (yv == 3)).double().mean())
    return Trained(
        watch,
        score,
        {"train": (x, target), "valid": (xv, (yv == 3).float()), "loss_fn": loss_fn},
    )


CASES = [
    healthy("several labels", several),
    healthy("a rare class, weighted", rare),
    healthy("some labels wrong", partly_wrong),
    healthy("focal loss", focal),
]
