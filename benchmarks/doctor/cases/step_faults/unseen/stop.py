"""Ends: too soon, too late, and with most of the network switched off."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known
from benchmarks.doctor.cases.step_faults.plan import Plan, planned, sgd
from benchmarks.doctor.cases.step_faults.unseen import drawn
from benchmarks.doctor.networks import dense


def no_patience(cured: bool, watch: Watch) -> Trained:
    """Ends as soon as one batch has a larger loss than the batch before."""
    (x, y), (xv, yv) = drawn.surface()
    model = dense(4, 48, 48, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    before = float("inf")
    with watch(model, optimizer) as watching:
        for count, chosen in enumerate(batches(len(x), 32, 25)):
            loss = F.mse_loss(model(x[chosen]), y[chosen])
            descend(watching, optimizer, loss, y[chosen])
            if not cured and float(loss) > before and count >= 12:
                break
            before = float(loss)
    data = known(torch.cat([x, xv]), torch.cat([y, yv]), len(x), F.mse_loss)
    return Trained(watching, explained(model(xv), yv), data)


def one_epoch(cured: bool) -> Plan:
    """One epoch of a slow ear."""
    optimizer = sgd(0.1, momentum=0.9)
    return Plan(drawn.beats(), drawn.Ear(), F.cross_entropy, optimizer, 16 if cured else 1)


PAIRS: list[Pair] = [
    Pair(
        "surface: ends at the first batch that is worse",
        "surface: ends after all epochs",
        ("stopped_early",),
        no_patience,
        0.6,
        0.85,
    ),
    planned(
        "beats: one epoch",
        "beats: sixteen epochs",
        ("stopped_early", "underfitting"),
        one_epoch,
        0.75,
        0.9,
    ),
]
