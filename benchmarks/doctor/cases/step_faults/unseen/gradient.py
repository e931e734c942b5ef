"""Gradients that pile up, are thrown away, do not reach, or are no numbers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, known, right
from benchmarks.doctor.cases.step_faults.plan import Plan, adam, explained, planned, sgd
from benchmarks.doctor.cases.step_faults.unseen import drawn
from benchmarks.doctor.networks import dense


def piled_up(cured: bool) -> Plan:
    """`zero_grad` is nowhere."""
    model = dense(4, 48, 48, 1)
    optimizer = sgd(0.05, momentum=0.9)
    return Plan(drawn.surface(), model, F.mse_loss, optimizer, 25, score=explained, clear=cured)


def cleared_too_late(cured: bool, watch: Watch) -> Trained:
    """Cleared after the backward pass and before the step."""
    (x, y), (xv, yv) = drawn.shapes()
    net = drawn.Eye()
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    with watch(net, optimizer) as watching:
        for chosen in batches(len(x), 32, 12):
            if cured:
                optimizer.zero_grad()
            loss = F.cross_entropy(net(x[chosen]), y[chosen])
            loss.backward()
            if not cured:
                optimizer.zero_grad()
            optimizer.step()
            watching.step(loss, target=y[chosen])
    with torch.no_grad():
        score = right(net(xv), yv)
    data = known(torch.cat([x, xv]), torch.cat([y, yv]), len(x), F.cross_entropy)
    return Trained(watching, score, data)


def fixed_body(cured: bool) -> Plan:
    """The body is run without gradients, though nobody has trained it before."""
    model = drawn.Reader(fixed=not cured)
    return Plan(drawn.letters(), model, F.cross_entropy, adam(5e-3), 14)


class Standardizing(nn.Module):
    """Each sequence less its mean, over its deviation, then a GRU."""

    def __init__(self, floor: float) -> None:
        super().__init__()
        self.ear = drawn.Ear()
        self.floor = floor

    def forward(self, x: Tensor) -> Tensor:
        x = (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + self.floor)
        out: Tensor = self.ear(x)
        return out


def silent_ones(cured: bool) -> Plan:
    """A few sequences are silent: nothing over nothing."""
    (x, y), valid = drawn.beats()
    x[::150] = 0.0
    model = Standardizing(1e-3 if cured else 0.0)
    return Plan(((x, y), valid), model, F.cross_entropy, adam(1e-2), 14)


PAIRS: list[Pair] = [
    planned(
        "surface: gradients that pile up",
        "surface: gradients that are cleared",
        ("gradient_not_cleared",),
        piled_up,
        0.5,
        0.85,
    ),
    Pair(
        "shapes: cleared between backward and step",
        "shapes: cleared before backward",
        ("gradient_discarded",),
        cleared_too_late,
        0.6,
        0.9,
    ),
    planned(
        "letters: a body without gradients",
        "letters: a body with gradients",
        ("parameters_not_updated",),
        fixed_body,
        0.8,
        0.9,
    ),
    planned(
        "beats: silent ones divided by nothing",
        "beats: silent ones divided by a little",
        ("not_finite",),
        silent_ones,
        0.1,
        0.9,
    ),
]
