"""Trainings that end too soon, learn by heart, or cannot hold what there is to learn."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn, optim

from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, right
from benchmarks.doctor.cases.step_faults.by_hand import drawn
from benchmarks.doctor.cases.step_faults.plan import Plan, above, adam, logits, planned
from benchmarks.doctor.data import Data
from benchmarks.doctor.networks import dense


def fewer(data: Data, count: int) -> Data:
    """The first `count` of the training samples."""
    (x, y), valid = data
    return (x[:count], y[:count]), valid


def two_epochs(cured: bool) -> Plan:
    """The number of epochs is that of a trial run."""
    epochs = 30 if cured else 2
    return Plan(drawn.roll(), dense(3, 48, 48, 1), F.mse_loss, adam(2e-3), epochs, 40, explained)


def impatient(cured: bool, watch: Watch) -> Trained:
    """Early stopping that takes a loss that falls for one that no longer does."""
    train, valid = drawn.sentences()
    model = drawn.Reader()
    optimizer = torch.optim.Adam(model.parameters(), lr=6e-4)
    best, waited = float("inf"), 0
    with watch(model, optimizer) as watching:
        for _epoch in range(16):
            model.train()
            for batch in torch.randperm(len(train[0])).split(48):
                loss = F.cross_entropy(model(train[0][batch]), train[1][batch])
                descend(watching, optimizer, loss, train[1][batch])
            model.eval()
            with torch.no_grad():
                answers = model(valid[0])
            now = float(F.cross_entropy(answers, valid[1]))
            watching.valid(loss=now, score=right(answers, valid[1]))
            better = now < best if cured else now > best
            best, waited = min(best, now), 0 if better else waited + 1
            if waited >= (5 if cured else 2):
                break
    known = {"train": train, "valid": valid, "loss_fn": F.cross_entropy}
    return Trained(watching, accuracy(model, *valid), known)


def sixty_by_heart(cured: bool) -> Plan:
    """A wide network, a long training and sixty samples."""
    data = drawn.hastie() if cured else fewer(drawn.hastie(), 60)
    epochs = 15 if cured else 100
    return Plan(data, dense(10, 128, 128, 1), logits, adam(3e-3), epochs, 32, above(0), loader=True)


def series_by_heart(cured: bool, watch: Watch) -> Trained:
    """A GRU of 48 units learns few returns of shares by heart."""
    (x, y), (xv, yv) = drawn.walks() if cured else fewer(drawn.walks(), 24)
    model = drawn.Listener(2, 1, 48)
    optimizer = optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for _ in range(8 if cured else 80):
            for chosen in batches(len(x), 24, 1):
                descend(watching, optimizer, logits(model(x[chosen]), y[chosen]), y[chosen])
            with torch.no_grad():
                answers = model(xv)
            watching.valid(loss=float(logits(answers, yv)), score=above(0)(answers, yv))
    with torch.no_grad():
        score = above(0)(model(xv), yv)
    return Trained(watching, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": logits})


def two_units(cured: bool) -> Plan:
    """Two units to part the arms of spirals."""
    model = dense(2, *((32, 32) if cured else (2,)), 3, activation=nn.Tanh)
    return Plan(drawn.spirals(), model, F.cross_entropy, adam(1e-2), 30)


PAIRS: list[Pair] = [
    planned(
        "roll: two epochs",
        "roll: thirty epochs",
        ("stopped_early", "learning_rate_too_low"),
        two_epochs,
        0.75,
        0.9,
    ),
    Pair(
        "sentences: stopped while the loss falls",
        "sentences: stopped when the loss rests",
        ("stopped_early",),
        impatient,
        0.8,
        0.9,
    ),
    planned(
        "hastie: sixty by heart",
        "hastie: all samples",
        ("overfitting",),
        sixty_by_heart,
        0.75,
        0.85,
    ),
    Pair(
        "walks: few by heart",
        "walks: all of them",
        ("overfitting",),
        series_by_heart,
        0.88,
        0.94,
    ),
    planned(
        "spirals: two units",
        "spirals: two wide layers",
        ("too_small", "underfitting"),
        two_units,
        0.84,
        0.9,
    ),
]
