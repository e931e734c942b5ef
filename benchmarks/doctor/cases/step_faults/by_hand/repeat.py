"""Data that come in the wrong units, order or company."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, right
from benchmarks.doctor.cases.step_faults import tables
from benchmarks.doctor.cases.step_faults.by_hand import drawn
from benchmarks.doctor.cases.step_faults.plan import Plan, adam, planned, sgd
from benchmarks.doctor.data import Data
from benchmarks.doctor.networks import dense


def raw_columns(cured: bool) -> Plan:
    """Ohms, hertz and farads as they are, with targets standardised."""
    data = drawn.circuit(inputs_scaled=cured)
    return Plan(data, dense(4, 48, 48, 1), F.mse_loss, sgd(0.03), 30, 40, explained, loader=True)


def raw_targets(cured: bool) -> Plan:
    """An impedance of up to 1700 ohms, with inputs standardised."""
    data = drawn.circuit(targets_scaled=cured)
    return Plan(
        data, dense(4, 48, 48, 1, activation=nn.Tanh), F.mse_loss, adam(2e-3), 30, 40, explained
    )


def by_kind(data: Data) -> Data:
    """The training samples, one class after another."""
    (x, y), valid = data
    order = y.argsort(stable=True)
    return (x[order], y[order]), valid


def kind_after_kind(cured: bool) -> Plan:
    """Folders of pictures, read one after another."""
    return Plan(
        by_kind(drawn.marks()),
        drawn.seeing(12, 24),
        F.cross_entropy,
        sgd(0.1, momentum=0.9),
        8,
        shuffle=cured,
        loader=True,
    )


def shuffled(x: Tensor) -> Tensor:
    """The rows in another order."""
    return x[torch.randperm(len(x))]


def shuffled_apart(cured: bool, watch: Watch) -> Trained:
    """Series and their kinds are shuffled by a call each."""
    (x, y), (xv, yv) = drawn.waves()
    if not cured:
        x, y = shuffled(x), shuffled(y)
    model = drawn.Listener(1, 3, 20, nn.LSTM)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 50, 12):
            descend(watching, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = right(model(xv), yv)
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watching, score, known)


def scaled_for_training_only(cured: bool, watch: Watch) -> Trained:
    """The columns are standardised for the training, and forgotten for the rest."""
    (x, y), (xv, yv) = tables.wine(scaled=False)
    mean, std = x.mean(0), x.std(0)
    x = (x - mean) / std
    if cured:
        xv = (xv - mean) / std
    model = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    loss_fn = nn.CrossEntropyLoss(label_smoothing=0.05)
    with watch(model, optimizer) as watching:
        for _epoch in range(25):
            for batch in torch.randperm(len(x)).split(16):
                optimizer.zero_grad()
                loss = loss_fn(model(x[batch]), y[batch])
                loss.backward()
                optimizer.step()
                watching.step(loss, target=y[batch])
            with torch.no_grad():
                answers = model(xv)
            watching.valid(loss=float(loss_fn(answers, yv)), score=right(answers, yv))
    with torch.no_grad():
        score = right(model(xv), yv)
    return Trained(watching, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": loss_fn})


PAIRS: list[Pair] = [
    planned(
        "circuit: columns in their units",
        "circuit: columns standardised",
        ("inputs_unscaled",),
        raw_columns,
        0.1,
        0.85,
    ),
    planned(
        "circuit: impedance in ohms",
        "circuit: impedance standardised",
        ("targets_unscaled",),
        raw_targets,
        0.1,
        0.85,
    ),
    planned(
        "marks: one kind after another",
        "marks: the kinds mixed",
        ("not_shuffled",),
        kind_after_kind,
        0.6,
        0.9,
    ),
    Pair(
        "waves: shuffled apart from their kinds",
        "waves: shuffled together with their kinds",
        ("labels_unrelated",),
        shuffled_apart,
        0.55,
        0.9,
    ),
    Pair(
        "wine: standardised for training only",
        "wine: standardised for both",
        ("train_valid_mismatch",),
        scaled_for_training_only,
        0.75,
        0.9,
    ),
]
