"""Trainings that end too soon, or go on until they know the samples by heart."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn, optim

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known, right
from benchmarks.doctor.cases.step_faults.later import sets
from benchmarks.doctor.cases.step_faults.plan import Plan, above, adam, logits, planned, sgd
from benchmarks.doctor.networks import dense


def two_rounds(cured: bool) -> Plan:
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 16, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 36, 4),
    )  # fmt: skip
    return Plan(sets.shapes(), model, F.cross_entropy, adam(1e-3), 30 if cured else 2)


def out_of_time(cured: bool, watch: Watch) -> Trained:
    """A limit on steps, left from a first try, ends the loop."""
    (x, y), (xv, yv) = sets.arm()
    limit = 1500 if cured else 60
    net = nn.Sequential(nn.Linear(4, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 1))
    optimizer = optim.Adam(net.parameters(), lr=1e-3)
    step = 0
    with watch(net, optimizer) as watching:
        for chosen in batches(len(x), 30, 50):
            descend(watching, optimizer, F.mse_loss(net(x[chosen]), y[chosen]), y[chosen])
            step += 1
            if step == limit:
                break
    data = known(torch.cat([x, xv]), torch.cat([y, yv]), len(x), F.mse_loss)
    return Trained(watching, explained(net(xv), yv), data)


def impatient(cured: bool, watch: Watch) -> Trained:
    """Early stopping that waits for one batch, or for ten epochs."""
    (x, y), (xv, yv) = sets.digits()
    net = dense(64, 48, 10)
    optimizer = optim.SGD(net.parameters(), lr=0.05)
    best, waited, done = float("inf"), 0, False
    with watch(net, optimizer) as watching:
        for _ in range(30):
            for chosen in torch.randperm(len(x)).split(32):
                loss = F.cross_entropy(net(x[chosen]), y[chosen])
                descend(watching, optimizer, loss, y[chosen])
                if not cured:
                    waited = 0 if loss.item() < best else waited + 1
                    best = min(best, loss.item())
                    done = waited >= 4
                if done:
                    break
            with torch.no_grad():
                out = net(xv)
                loss_v = float(F.cross_entropy(out, yv))
            watching.valid(loss=loss_v, score=right(out, yv))
            if cured:
                waited = 0 if loss_v < best else waited + 1
                best = min(best, loss_v)
                done = waited >= 10
            if done:
                break
    data = known(torch.cat([x, xv]), torch.cat([y, yv]), len(x), F.cross_entropy)
    return Trained(watching, right(net(xv), yv), data)


def genes_by_heart(cured: bool) -> Plan:
    data = sets.genes() if cured else sets.part(sets.genes(), 40)
    epochs = 15 if cured else 120
    return Plan(data, dense(20, 128, 128, 4), F.cross_entropy, adam(2e-3), epochs, 20, loader=True)


def reach_by_heart(cured: bool) -> Plan:
    """Thirty measurements, each with an error, and two hidden layers of 200."""
    (x, y), (xv, yv) = sets.arm()
    data = (x, y + 0.5 * torch.randn_like(y)), (xv, yv)
    epochs = 20 if cured else 400
    return Plan(
        data if cured else sets.part(data, 30),
        dense(4, 200, 200, 1),
        F.mse_loss,
        adam(2e-3),
        epochs,
        30,
        explained,
        loader=True,
    )


def signals_by_heart(cured: bool) -> Plan:
    data = sets.signals() if cured else sets.part(sets.signals(), 48)
    model = nn.Sequential(nn.Flatten(), dense(40, 128, 128, 4))
    epochs = 20 if cured else 150
    return Plan(data, model, F.cross_entropy, adam(2e-3), epochs, 16, loader=True)


def a_line(cured: bool) -> Plan:
    model = dense(10, 48, 1) if cured else nn.Linear(10, 1)
    return Plan(sets.hastie(), model, logits, adam(5e-3), 20, score=above(0))


def a_plane(cured: bool) -> Plan:
    model = dense(2, 48, 48, 3) if cured else nn.Linear(2, 3)
    return Plan(sets.spirals(), model, F.cross_entropy, sgd(0.2, momentum=0.9), 40)


EARLY = ("stopped_early", "learning_rate_too_low")
HEART = ("overfitting",)
PLAIN = ("too_small", "underfitting", "no_nonlinearity")
PAIRS = [
    planned("shapes: two epochs", "shapes: thirty epochs", EARLY, two_rounds, 0.7, 0.9),
    Pair("arm: sixty steps", "arm: 1500 steps", EARLY, out_of_time, 0.6, 0.9),
    Pair("digits: no patience", "digits: some patience", EARLY, impatient, 0.7, 0.88),
    planned("genes: forty by heart", "genes: nine hundred", HEART, genes_by_heart, 0.8, 0.88),
    planned("arm: thirty by heart", "arm: nine hundred", HEART, reach_by_heart, 0.75, 0.87),
    planned("signals: 48 by heart", "signals: eight hundred", HEART, signals_by_heart, 0.65, 0.75),
    planned("hastie: a line", "hastie: a hidden layer", PLAIN, a_line, 0.6, 0.85),
    planned("spirals: a plane", "spirals: two bent layers", PLAIN, a_plane, 0.72, 0.9),
]
