"""Trainings that break off, learn noise by heart, have no room, or stand still before the end."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch
from benchmarks.doctor.cases.step_faults.fresh import samples
from benchmarks.doctor.cases.step_faults.fresh.loops import judged
from benchmarks.doctor.networks import dense


def break_from_debugging(cured: bool, watch: Watch) -> Trained:
    """A `break` after the first batch of each epoch was left from a trial."""
    data = samples.shells()
    (x, y), _ = data
    model = dense(4, 48, 48, 3)
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for _epoch in range(18):
            for points, shell in DataLoader(TensorDataset(x, y), 30, shuffle=True):
                optimizer.zero_grad()
                loss = F.cross_entropy(model(points), shell)
                loss.backward()
                optimizer.step()
                watching.step(loss, target=shell)
                if not cured:
                    break
    return judged(watching, model, data, F.cross_entropy)


def noise_by_heart(cured: bool, watch: Watch) -> Trained:
    """Forty columns, of which four matter, for eighty samples and a long training."""
    (x, y), valid = samples.wide()
    if not cured:
        x, y = x[:80], y[:80]
    model = dense(40, 128, 64, 1)
    criterion = nn.BCEWithLogitsLoss()
    optimizer = optim.Adam(model.parameters(), lr=2e-3)
    with watch(model, optimizer) as watching:
        for _epoch in range(5 if cured else 80):
            model.train()
            for chosen in batches(len(x), 20, 1):
                descend(watching, optimizer, criterion(model(x[chosen]), y[chosen]), y[chosen])
            model.eval()
            with torch.no_grad():
                answers = model(valid[0])
            loss = criterion(answers, valid[1])
            hits = (answers > 0) == (valid[1] > 0.5)
            watching.valid(loss=float(loss), score=float(hits.double().mean()))
    return judged(watching, model, ((x, y), valid), criterion)


def through_one_number(cured: bool, watch: Watch) -> Trained:
    """All that is seen of a numeral has to pass through a single unit."""
    data = samples.numerals()
    (x, y), _ = data
    width = 32 if cured else 1
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(192, width),
        nn.Tanh(),
        nn.Linear(width, 10),
    )
    optimizer = optim.Adam(net.parameters(), lr=5e-3)
    with watch(net, optimizer) as watching:
        for chosen in batches(len(x), 32, 15):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x[chosen]), y[chosen])
            loss.backward()
            optimizer.step()
            watching.step(loss, target=y[chosen])
    return judged(watching, net, data, F.cross_entropy)


def tenth_each_epoch(cured: bool, watch: Watch) -> Trained:
    """The rate falls to a tenth with each epoch."""
    data = samples.arms()
    (x, y), _ = data
    model = dense(4, 64, 64, 1)
    optimizer = optim.SGD(model.parameters(), lr=3e-3, momentum=0.9)
    scheduler = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.97 if cured else 0.1)
    with watch(model, optimizer) as watching:
        for _epoch in range(25):
            for chosen in torch.randperm(len(x)).split(40):
                optimizer.zero_grad()
                loss = F.mse_loss(model(x[chosen]), y[chosen])
                loss.backward()
                optimizer.step()
                watching.step(loss, target=y[chosen])
            scheduler.step()
    return judged(watching, model, data, F.mse_loss)


PAIRS: list[Pair] = [
    Pair(
        "shells: an epoch breaks off after a batch",
        "shells: an epoch runs to its end",
        ("stopped_early",),
        break_from_debugging,
        0.7,
        0.85,
    ),
    Pair(
        "wide: eighty samples by heart",
        "wide: all samples",
        ("overfitting",),
        noise_by_heart,
        0.7,
        0.74,
    ),
    Pair(
        "numerals: seen through one unit",
        "numerals: seen through thirty-two units",
        ("too_small", "underfitting"),
        through_one_number,
        0.75,
        0.85,
    ),
    Pair(
        "arms: a tenth of the rate with each epoch",
        "arms: a little less of the rate with each epoch",
        ("schedule_collapsed", "learning_rate_too_low", "stopped_early"),
        tenth_each_epoch,
        0.88,
        0.95,
    ),
]
