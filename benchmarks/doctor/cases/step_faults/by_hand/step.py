"""Steps that are too long, too short, or pulled elsewhere."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, right
from benchmarks.doctor.cases.step_faults.by_hand import drawn
from benchmarks.doctor.cases.step_faults.plan import (
    Plan,
    above,
    adam,
    explained,
    planned,
)
from benchmarks.doctor.networks import dense


def long_steps(cured: bool) -> Plan:
    """Adam with the rate of somebody's gradient descent."""
    rate = 3e-3 if cured else 1.0
    return Plan(drawn.marks(), drawn.seeing(12, 24), F.cross_entropy, adam(rate), 8, loader=True)


def short_steps(cured: bool) -> Plan:
    """A rate with two zeros too many, for the attention over a basket."""
    rate = 1e-2 if cured else 1e-5
    return Plan(
        drawn.baskets(),
        drawn.Picker(),
        F.mse_loss,
        lambda network: optim.RMSprop(network.parameters(), rate),
        20,
        40,
        explained,
    )


def pulled_to_zero(cured: bool, watch: Watch) -> Trained:
    """The weights of an LSTM shrink faster than they learn."""
    (x, y), (xv, yv) = drawn.walks()
    model = drawn.Listener(2, 1, 20, nn.LSTM)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=1e-2 if cured else 30.0)
    loss_fn = nn.BCEWithLogitsLoss()
    with watch(model, optimizer) as watching:
        for _epoch in range(8):
            for returns, better in DataLoader(TensorDataset(x, y), 40, shuffle=True):
                loss = loss_fn(model(returns), better)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watching.step(loss.detach(), target=better)
    with torch.no_grad():
        score = above(0)(model(xv), yv)
    return Trained(watching, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": loss_fn})


def plan_of_epochs_by_batch(cured: bool, watch: Watch) -> Trained:
    """A schedule that was meant for epochs moves with each batch."""
    train, valid = drawn.sentences()
    model = drawn.Reader()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=3 if cured else 2, gamma=0.5)
    with watch(model, optimizer) as watching:
        for _ in range(12):
            for batch in torch.randperm(len(train[0])).split(48):
                optimizer.zero_grad()
                loss = F.cross_entropy(model(train[0][batch]), train[1][batch])
                loss.backward()
                optimizer.step()
                if not cured:
                    scheduler.step()
                watching.step(loss, target=train[1][batch])
            if cured:
                scheduler.step()
    known = {"train": train, "valid": valid, "loss_fn": F.cross_entropy}
    return Trained(watching, accuracy(model, *valid), known)


def never_slower(cured: bool, watch: Watch) -> Trained:
    """A momentum of 1 forgets nothing."""
    (x, y), (xv, yv) = drawn.tickets()
    model = dense(16, 48, 32, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9 if cured else 1.0)
    criterion = nn.CrossEntropyLoss()
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 32, 20):
            optimizer.zero_grad()
            loss = criterion(model(x[chosen]), y[chosen])
            loss.backward()
            optimizer.step()
            watching.step(loss, target=y[chosen])
    with torch.no_grad():
        score = right(model(xv), yv)
    return Trained(watching, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": criterion})


PAIRS: list[Pair] = [
    planned(
        "marks: Adam with 1",
        "marks: Adam with .003",
        ("learning_rate_too_high",),
        long_steps,
        0.75,
        0.9,
    ),
    planned(
        "baskets: RMSprop with .00001",
        "baskets: RMSprop with .01",
        ("learning_rate_too_low",),
        short_steps,
        0.3,
        0.8,
    ),
    Pair(
        "walks: a decay of 30",
        "walks: a decay of .01",
        ("weight_decay_too_strong",),
        pulled_to_zero,
        0.75,
        0.88,
    ),
    Pair(
        "sentences: the rate halves every two batches",
        "sentences: the rate halves every three epochs",
        ("schedule_collapsed", "learning_rate_too_low"),
        plan_of_epochs_by_batch,
        0.7,
        0.9,
    ),
    Pair(
        "tickets: a momentum of 1",
        "tickets: a momentum of .9",
        ("optimizer_setting", "learning_rate_too_high"),
        never_slower,
        0.7,
        0.85,
    ),
]
