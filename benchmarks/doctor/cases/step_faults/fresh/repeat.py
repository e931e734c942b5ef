"""Samples that come one row off, in order, with the answer, or far from zero."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, fit
from benchmarks.doctor.cases.step_faults.fresh import samples
from benchmarks.doctor.cases.step_faults.fresh.loops import judged
from benchmarks.doctor.networks import dense


def one_row_off(cured: bool, watch: Watch) -> Trained:
    """The file of labels has a heading and that of the pictures has none."""
    (x, y), valid = samples.numerals()
    if not cured:
        x, y = x[:-1], y[1:]
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 48),
        nn.ReLU(),
        nn.Linear(48, 10),
    )
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.8)
    with watch(net, optimizer) as watching:
        for _epoch in range(8):
            for pictures, numeral in DataLoader(TensorDataset(x, y), 32, shuffle=True):
                loss = F.cross_entropy(net(pictures), numeral)
                descend(watching, optimizer, loss, numeral)
    return judged(watching, net, ((x, y), valid), F.cross_entropy)


def from_low_to_high(cured: bool, watch: Watch) -> Trained:
    """The table is sorted by what is to be told, and read from top to bottom."""
    (x, y), valid = samples.arms()
    order = y[:, 0].argsort()
    x, y = x[order], y[order]
    model = dense(4, 64, 64, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    with watch(model, optimizer) as watching:
        for _epoch in range(15):
            for angles, height in DataLoader(TensorDataset(x, y), batch_size=40, shuffle=cured):
                optimizer.zero_grad()
                loss = F.mse_loss(model(angles), height)
                loss.backward()
                optimizer.step()
                watching.step(loss, target=height)
    return judged(watching, model, ((x, y), valid), F.mse_loss)


def column_of_afterwards(cured: bool, watch: Watch) -> Trained:
    """A column that is filled in after the harvest is there in the training table; in the other it
    is still 0.
    """
    (x, y), (xv, yv) = samples.yields()
    sold = y + 0.02 * torch.randn(len(y), 1)
    if cured:
        sold = torch.zeros_like(sold)
    x, xv = torch.cat([x, sold], 1), torch.cat([xv, torch.zeros_like(yv)], 1)
    model = dense(5, 48, 48, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for _ in range(15):
            for chosen in batches(len(x), 35, 1):
                descend(watching, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
            model.eval()
            with torch.no_grad():
                loss = F.mse_loss(model(xv), yv)
            watching.valid(loss=float(loss))
            model.train()
    return judged(watching, model, ((x, y), (xv, yv)), F.mse_loss)


def years_as_they_are(cured: bool, watch: Watch) -> Trained:
    """Years around 1990 stand beside shares between 0 and 1."""
    data = samples.yields(units=not cured)
    model = dense(4, 64, 64, 1, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, *data[0], 25)
    return judged(watching, model, data, F.mse_loss)


PAIRS: list[Pair] = [
    Pair(
        "numerals: labels one row off",
        "numerals: labels in their rows",
        ("labels_unrelated",),
        one_row_off,
        0.4,
        0.9,
    ),
    Pair(
        "arms: from the lowest to the highest",
        "arms: low and high mixed",
        ("not_shuffled",),
        from_low_to_high,
        0.6,
        0.9,
    ),
    Pair(
        "yields: a column from after the harvest",
        "yields: a column that is empty",
        ("target_in_input", "train_valid_mismatch"),
        column_of_afterwards,
        0.5,
        0.9,
    ),
    Pair(
        "yields: years as they are",
        "yields: years standardised",
        ("inputs_unscaled", "ill_conditioned", "saturated_units"),
        years_as_they_are,
        0.5,
        0.85,
    ),
]
