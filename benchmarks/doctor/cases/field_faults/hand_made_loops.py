"""Loops by hand: batches asked for anew, rates that fall or rise too slowly, steps of nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained
from benchmarks.doctor.cases.field_faults.drawn import bars, bent, clouds
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known, right
from benchmarks.doctor.networks import dense

Read = Callable[[Tensor, Tensor], float]


def ended(
    watching: Any, model: nn.Module, x: Tensor, y: Tensor, count: int, loss_fn: Any, read: Read
) -> Trained:
    with torch.no_grad():
        score = read(model.eval()(x[count:]), y[count:])
    return Trained(watching, score, known(x, y, count, loss_fn))


def next_of_a_new_iterator(cured: bool, watch: Watch) -> Trained:
    """`next(iter(loader))` in each step: without a shuffle it is the first batch for ever."""
    x, y = bars(700, noise=0.5)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 4)
    )
    optimizer = torch.optim.Adam(model.parameters(), 4e-3)
    loader = DataLoader(TensorDataset(x[:500], y[:500]), 8, shuffle=cured)
    with watch(model, optimizer) as watching:
        for _ in range(250):
            xb, yb = next(iter(loader))
            loss = F.cross_entropy(model(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watching.step(loss, target=yb)
    return ended(watching, model, x, y, 500, F.cross_entropy, right)


def warm_up_in_epochs(cured: bool, watch: Watch) -> Trained:
    """The warm-up is 2000 steps long, and the run has 300."""
    x, y = bent(800)
    model = dense(6, 64, 64, 1, activation=nn.SiLU)
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    warm = 30 if cured else 60_000
    schedule = lr_scheduler.LambdaLR(optimizer, lambda t: min(1.0, (t + 1) / warm))
    loss_fn = nn.SmoothL1Loss()
    with watch(model, optimizer) as watching:
        for _ in range(16):
            for chosen in torch.randperm(600).split(32):
                optimizer.zero_grad(set_to_none=True)
                loss = loss_fn(model(x[chosen]), y[chosen])
                loss.backward()
                optimizer.step()
                schedule.step()
                watching.step(loss, target=y[chosen])
    return ended(watching, model, x, y, 600, loss_fn, explained)


def plateau_for_the_wrong_measure(cured: bool, watch: Watch) -> Trained:
    """`ReduceLROnPlateau` waits for a loss to rise, and cuts the rate with every epoch."""
    x, y = clouds(1200, 8, 10, 0.9)
    model = dense(10, 64, 8)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    schedule = lr_scheduler.ReduceLROnPlateau(
        optimizer, "min" if cured else "max", factor=0.1, patience=1
    )
    with watch(model, optimizer) as watching:
        for _ in range(20):
            total = 0.0
            for chosen in torch.randperm(900).split(50):
                loss = F.cross_entropy(model(x[chosen]), y[chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item()
                watching.step(loss, target=y[chosen])
            schedule.step(total)
    return ended(watching, model, x, y, 900, F.cross_entropy, right)


def tensor_of_the_loss(cured: bool, watch: Watch) -> Trained:
    """The mean of the losses is put into a new tensor, which knows nothing of the network."""
    x, y = bent(800)
    model = dense(6, 48, 1)
    optimizer = torch.optim.Adam(model.parameters(), 4e-3)
    with watch(model, optimizer) as watching:
        for _ in range(15):
            for chosen in torch.randperm(600).split(30):
                output = model(x[chosen])
                parts = [
                    F.mse_loss(o, t)
                    for o, t in zip(output.split(10), y[chosen].split(10), strict=True)
                ]
                if cured:
                    loss = torch.stack(parts).mean()
                else:
                    loss = torch.tensor([float(p.detach()) for p in parts]).mean().requires_grad_()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watching.step(loss, target=y[chosen])
    return ended(watching, model, x, y, 600, F.mse_loss, explained)


def cleared_at_the_end_of_the_epoch(cured: bool, watch: Watch) -> Trained:
    """`zero_grad` stands one indentation too far to the left."""
    x, y = clouds(1000, 6, 8, 1.5)
    model = dense(8, 48, 48, 6, activation=nn.ReLU)
    optimizer = torch.optim.SGD(model.parameters(), 0.15)
    with watch(model, optimizer) as watching:
        for _ in range(12):
            for xb, yb in DataLoader(TensorDataset(x[:750], y[:750]), 15, shuffle=True):
                loss = F.cross_entropy(model(xb), yb)
                loss.backward()
                optimizer.step()
                watching.step(loss, target=yb)
                if cured:
                    optimizer.zero_grad()
            optimizer.zero_grad()
    return ended(watching, model, x, y, 750, F.cross_entropy, right)


def pairs_taken_apart_by_sampling(cured: bool, watch: Watch) -> Trained:
    """Inputs and answers are drawn by two calls of `randint`."""
    x, y = bent(900)
    model = dense(6, 64, 1, activation=nn.GELU)
    optimizer = torch.optim.NAdam(model.parameters(), 4e-3)
    with watch(model, optimizer) as watching:
        for _ in range(300):
            rows = torch.randint(650, (32,))
            others = rows if cured else torch.randint(650, (32,))
            loss = F.mse_loss(model(x[rows]), y[others])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watching.step(loss, target=y[others])
    return ended(watching, model, x, y, 650, F.mse_loss, explained)


def clipped_by_value(cured: bool, watch: Watch) -> Trained:
    """Each number of the gradient is cut to a millionth before plain descent."""
    x, y = bars(700, noise=0.4)
    model = nn.Sequential(nn.Flatten(), dense(64, 64, 4, activation=nn.SiLU))
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    with watch(model, optimizer) as watching:
        for _ in range(12):
            for chosen in torch.randperm(500).split(25):
                optimizer.zero_grad()
                loss = F.cross_entropy(model(x[chosen]), y[chosen])
                loss.backward()
                nn.utils.clip_grad_value_(model.parameters(), 1.0 if cured else 1e-6)
                optimizer.step()
                watching.step(loss, target=y[chosen])
    return ended(watching, model, x, y, 500, F.cross_entropy, right)


PAIRS = [
    Pair(
        "the first of a new iterator",
        "the first of a new shuffle",
        ("same_batch_again",),
        next_of_a_new_iterator,
        0.8,
        0.85,
    ),
    Pair(
        "a warm-up of 60,000 steps",
        "a warm-up of 30 steps",
        ("learning_rate_too_low",),
        warm_up_in_epochs,
        0.3,
        0.7,
    ),
    Pair(
        "a plateau awaited upwards",
        "a plateau awaited downwards",
        ("schedule_collapsed", "learning_rate_too_low"),
        plateau_for_the_wrong_measure,
        0.7,
        0.75,
    ),
    Pair(
        "a new tensor of the losses",
        "a stack of the losses",
        ("parameters_not_updated",),
        tensor_of_the_loss,
        0.2,
        0.7,
    ),
    Pair(
        "cleared after each epoch alone",
        "cleared after each step",
        ("gradient_not_cleared",),
        cleared_at_the_end_of_the_epoch,
        0.7,
        0.8,
    ),
    Pair(
        "inputs and answers by two draws",
        "inputs and answers by one draw",
        ("labels_unrelated",),
        pairs_taken_apart_by_sampling,
        0.2,
        0.6,
    ),
    Pair(
        "each slope cut to a millionth",
        "each slope cut to one",
        ("gradient_clipped_away", "learning_rate_too_low"),
        clipped_by_value,
        0.6,
        0.8,
    ),
]
