"""Steps for another network, of no length, or from too few samples."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, fit
from benchmarks.doctor.cases.step_faults.fresh import samples
from benchmarks.doctor.cases.step_faults.fresh.loops import judged
from benchmarks.doctor.networks import dense


def fold(
    model: nn.Module,
    optimizer: optim.Optimizer,
    x: Tensor,
    y: Tensor,
    after: Callable[[Tensor, Tensor], object],
) -> None:
    """Twelve epochs on one part of the samples; `after` is called with the loss and the target."""
    for batch in batches(len(x), 30, 12):
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(model(x[batch]), y[batch])
        loss.backward()
        optimizer.step()
        after(loss, y[batch])


def last_folds_optimizer(cured: bool, watch: Watch) -> Trained:
    """Each fold has a network of its own; the optimizer is that of the first."""
    data = samples.wide()
    (x, y), _ = data
    first, second = torch.randperm(len(x)).chunk(2)
    model = dense(40, 32, 1)
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    fold(model, optimizer, x[first], y[first], lambda loss, target: None)
    model = dense(40, 32, 1)
    if cured:
        optimizer = optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        fold(
            model,
            optimizer,
            x[second],
            y[second],
            lambda loss, target: watching.step(loss, target=target),
        )
    return judged(watching, model, data, F.binary_cross_entropy_with_logits)


def warm_up_in_whole_numbers(cured: bool, watch: Watch) -> Trained:
    """The share of the warm-up that is over is divided in whole numbers, and stays 0."""
    data = samples.board()
    (x, y), _ = data
    model = dense(2, 64, 64, 1)
    criterion = nn.BCEWithLogitsLoss()
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    warm = 800
    scheduler = optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: (step + 1) / warm if cured else (step + 1) // warm
    )
    with watch(model, optimizer) as watching:
        for _epoch in range(26):
            for points, dark in DataLoader(TensorDataset(x, y), 50, shuffle=True):
                optimizer.zero_grad()
                loss = criterion(model(points), dark)
                loss.backward()
                optimizer.step()
                scheduler.step()
                watching.step(loss, target=dark)
    return judged(watching, model, data, criterion)


def large_epsilon(cured: bool, watch: Watch) -> Trained:
    """Adam's epsilon of 10, where 1e-8 or so is meant, outweighs every gradient."""
    data = samples.tone()
    model = dense(1, 64, 64, 1, activation=nn.Tanh)
    optimizer = optim.Adam(model.parameters(), lr=5e-3, eps=1e-7 if cured else 10.0)
    watching = fit(watch, model, optimizer, F.mse_loss, *data[0], 40)
    return judged(watching, model, data, F.mse_loss)


def two_at_a_time(cured: bool, watch: Watch) -> Trained:
    """Batch norm of two samples leaves only which of them is larger."""
    data = samples.yields()
    (x, y), _ = data
    model = nn.Sequential(
        nn.Linear(4, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Linear(32, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Linear(32, 1),
    )
    optimizer = optim.Adam(model.parameters(), lr=5e-3)
    size = 50 if cured else 2
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), size, 30 if cured else 2):
            loss = F.mse_loss(model(x[chosen]), y[chosen])
            descend(watching, optimizer, loss, y[chosen])
    return judged(watching, model, data, F.mse_loss)


PAIRS: list[Pair] = [
    Pair(
        "wide: a fold with the optimizer of the one before",
        "wide: a fold with an optimizer of its own",
        ("parameters_not_updated",),
        last_folds_optimizer,
        0.65,
        0.75,
    ),
    Pair(
        "board: a warm-up in whole numbers",
        "board: a warm-up in shares",
        ("schedule_collapsed", "learning_rate_too_low", "parameters_not_updated"),
        warm_up_in_whole_numbers,
        0.65,
        0.85,
    ),
    Pair(
        "tone: Adam with an epsilon of 10",
        "tone: Adam with an epsilon of .0000001",
        ("optimizer_setting", "learning_rate_too_low"),
        large_epsilon,
        0.4,
        0.8,
    ),
    Pair(
        "yields: batch norm of two at a time",
        "yields: batch norm of fifty at a time",
        ("batch_too_small", "mode_mismatch"),
        two_at_a_time,
        0.75,
        0.85,
    ),
]
