"""Losses that take other labels, other outputs or other sizes than they are given."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained
from benchmarks.doctor.cases.step_faults.fresh import samples
from benchmarks.doctor.cases.step_faults.fresh.loops import judged
from benchmarks.doctor.networks import dense


def zero_for_minus_one(cured: bool, watch: Watch) -> Trained:
    """A soft margin takes labels of -1 and 1; with 0 it teaches nothing about that class."""
    (x, y), (xv, yv) = samples.board()
    if cured:
        y, yv = 2 * y - 1, 2 * yv - 1
    model = dense(2, 64, 64, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    criterion = nn.SoftMarginLoss()
    with watch(model, optimizer) as watching:
        for _epoch in range(25):
            for points, dark in DataLoader(TensorDataset(x, y), 50, shuffle=True):
                optimizer.zero_grad()
                loss = criterion(model(points), dark)
                loss.backward()
                optimizer.step()
                watching.step(loss, target=dark)
    with torch.no_grad():
        score = float(((model(xv) > 0) == (yv > 0)).double().mean())
    return Trained(watching, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": criterion})


class Rate(nn.Module):
    """A rate above zero."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = dense(3, 48, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.softplus(self.layers(x))


def rate_for_logarithm(cured: bool, watch: Watch) -> Trained:
    """The Poisson loss takes the logarithm of a rate unless it is told otherwise."""
    data = samples.visits()
    (x, y), _ = data
    model = Rate()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    criterion = nn.PoissonNLLLoss(log_input=not cured)
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 40, 15):
            descend(watching, optimizer, criterion(model(x[chosen]), y[chosen]), y[chosen])
    return judged(watching, model, data, criterion)


def angle_between(answers: Tensor, y: Tensor) -> Tensor:
    """One minus the cosine between the answers of a batch and its targets."""
    return 1 - F.cosine_similarity(answers.flatten(), y.flatten(), dim=0)


def angle_for_distance(cured: bool, watch: Watch) -> Trained:
    """The cosine does not mind how large the answers are."""
    data = samples.arms()
    (x, y), _ = data
    model = dense(4, 48, 48, 1, activation=nn.Tanh)
    loss_fn = F.mse_loss if cured else angle_between
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for _ in range(15):
            for chosen in torch.randperm(len(x)).split(40):
                optimizer.zero_grad()
                loss = loss_fn(model(x[chosen]), y[chosen])
                loss.backward()
                optimizer.step()
                watching.step(loss, target=y[chosen])
    return judged(watching, model, data, loss_fn)


def penalty_above_all(cured: bool, watch: Watch) -> Trained:
    """The sum of all absolute weights is added to the error, times a tenth."""
    (x, y), (xv, yv) = samples.yields()
    model = dense(4, 48, 48, 1)
    factor = 1e-5 if cured else 0.1
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 35, 20):
            error = F.mse_loss(model(x[chosen]), y[chosen])
            penalty = factor * sum(p.abs().sum() for p in model.parameters())
            loss = error + penalty
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watching.step(loss, target=y[chosen], parts={"error": error, "penalty": penalty})
    with torch.no_grad():
        score = explained(model(xv), yv)
    return Trained(watching, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": F.mse_loss})


PAIRS: list[Pair] = [
    Pair(
        "board: a soft margin of 0 and 1",
        "board: a soft margin of -1 and 1",
        ("target_out_of_range", "output_loss_mismatch"),
        zero_for_minus_one,
        0.65,
        0.85,
    ),
    Pair(
        "visits: a rate where its logarithm is taken",
        "visits: a rate where a rate is taken",
        ("output_loss_mismatch",),
        rate_for_logarithm,
        0.3,
        0.5,
    ),
    Pair(
        "arms: the angle to the targets",
        "arms: the distance from the targets",
        ("loss_unsuited",),
        angle_for_distance,
        0.92,
        0.97,
    ),
    Pair(
        "yields: a penalty far above the error",
        "yields: a penalty far below the error",
        ("loss_terms_unbalanced", "weight_decay_too_strong"),
        penalty_above_all,
        0.3,
        0.8,
    ),
]
