"""Trainings that end before they have learned, learn by heart, or cannot hold what there is."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, right
from benchmarks.doctor.cases.step_faults.blind import samples
from benchmarks.doctor.cases.step_faults.plan import Plan, adam, logits, planned, sgd
from benchmarks.doctor.data import Data, digits
from benchmarks.doctor.networks import dense


def first(data: Data, count: int) -> Data:
    """The first `count` training samples."""
    (x, y), valid = data
    return (x[:count], y[:count]), valid


def one_epoch_of_offers(cured: bool) -> Plan:
    """One epoch, as large models are trained, of a small set."""
    epochs = 18 if cured else 1
    return Plan(
        samples.auctions(), samples.Bidders(), F.mse_loss, adam(2e-3), epochs, 40, explained
    )


def break_in_the_inner_loop(cured: bool, watch: Watch) -> Trained:
    """`break` stands a level too deep, and every epoch ends with its first batch."""
    (x, y), (xv, yv) = samples.plates()
    loader = DataLoader(TensorDataset(x, y), batch_size=30, shuffle=True)
    model = samples.glance(10, 20)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for _epoch in range(9):
            for pictures, letters in loader:
                descend(watching, optimizer, F.cross_entropy(model(pictures), letters), letters)
                if not cured:
                    break
            with torch.no_grad():
                answers = model(xv)
            watching.valid(loss=float(F.cross_entropy(answers, yv)), score=right(answers, yv))
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watching, right(answers, yv), known)


def twelve_plates_by_heart(cured: bool, watch: Watch) -> Trained:
    """Twelve pictures, filters for a thousand, and 60 epochs."""
    data = samples.plates()
    (x, y), (xv, yv) = data if cured else first(data, 12)
    model = samples.glance(12, 24)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for _ in range(8 if cured else 60):
            for chosen in batches(len(x), 12, 1):
                descend(
                    watching, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen]
                )
            with torch.no_grad():
                answers = model(xv)
            watching.valid(loss=float(F.cross_entropy(answers, yv)), score=right(answers, yv))
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watching, right(answers, yv), known)


def genes(count: int) -> Data:
    """A hundred columns of which four matter; 1 where they add up to more than 0. [N, 1]"""
    draw = torch.Generator().manual_seed(103)
    x = torch.randn(count + 400, 100, generator=draw)
    y = (x[:, :4].sum(1, keepdim=True) > 0).float()
    return (x[:count], y[:count]), (x[count:], y[count:])


def more_columns_than_rows(cured: bool, watch: Watch) -> Trained:
    """Fifty patients, a hundred columns, and a network that can hold them all."""
    (x, y), (xv, yv) = genes(2500 if cured else 50)
    model = dense(100, 64, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for _ in range(3 if cured else 60):
            for chosen in batches(len(x), 25, 1):
                descend(watching, optimizer, logits(model(x[chosen]), y[chosen]), y[chosen])
            with torch.no_grad():
                answers = model(xv)
            hit = float(((answers > 0) == (yv > 0.5)).double().mean())
            watching.valid(loss=float(logits(answers, yv)), score=hit)
    return Trained(watching, hit, {"train": (x, y), "valid": (xv, yv), "loss_fn": logits})


def orders_by_heart(cured: bool, watch: Watch) -> Trained:
    """Two dozen orders of words, until each is known by heart."""
    train, valid = samples.orders()
    count = len(train[0]) if cured else 24
    x, y = train[0][:count], train[1][:count]
    model = samples.Clerk(32)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    loss_fn = nn.CrossEntropyLoss()
    with watch(model, optimizer) as watching:
        for _ in range(8 if cured else 60):
            model.train()
            for chosen in torch.randperm(count).split(12):
                descend(watching, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
            model.eval()
            with torch.no_grad():
                answers = model(valid[0])
            loss = float(loss_fn(answers, valid[1]))
            watching.valid(loss=loss, score=right(answers, valid[1]))
    known = {"train": (x, y), "valid": valid, "loss_fn": loss_fn}
    return Trained(watching, accuracy(model, *valid), known)


def one_unit_of_memory(cured: bool) -> Plan:
    """A memory of one number, for a way in the plane."""
    model = samples.Ear(2, 1, 24 if cured else 1)
    return Plan(samples.strolls(), model, F.mse_loss, adam(1e-2), 14, 50, explained, loader=True)


def one_for_ten(cured: bool) -> Plan:
    """Ten digits through a layer of one unit."""
    model = dense(64, 48, 32 if cured else 1, 10)
    return Plan(digits(), model, F.cross_entropy, sgd(0.05, momentum=0.9), 20)


PAIRS: list[Pair] = [
    planned(
        "auctions: one epoch",
        "auctions: eighteen epochs",
        ("stopped_early", "learning_rate_too_low"),
        one_epoch_of_offers,
        0.5,
        0.85,
    ),
    Pair(
        "plates: a break after the first batch",
        "plates: all batches",
        ("stopped_early",),
        break_in_the_inner_loop,
        0.6,
        0.9,
    ),
    Pair(
        "plates: twelve by heart",
        "plates: all of them",
        ("overfitting",),
        twelve_plates_by_heart,
        0.86,
        0.9,
    ),
    Pair(
        "genes: fifty by heart",
        "genes: two thousand and five hundred",
        ("overfitting",),
        more_columns_than_rows,
        0.78,
        0.88,
    ),
    Pair(
        "orders: two dozen by heart",
        "orders: all of them",
        ("overfitting",),
        orders_by_heart,
        0.8,
        0.9,
    ),
    planned(
        "strolls: a memory of one number",
        "strolls: a memory of twenty-four",
        ("too_small", "underfitting"),
        one_unit_of_memory,
        0.5,
        0.8,
    ),
    planned(
        "pixels: one unit for ten digits",
        "pixels: thirty-two units for ten digits",
        ("too_small", "underfitting"),
        one_for_ten,
        0.75,
        0.9,
    ),
]
