"""Weights as they begin: all alike, far too large, next to nothing."""

from __future__ import annotations

import torch.nn.functional as F
from torch import nn

from benchmarks.doctor.cases.field_faults.pair import Pair
from benchmarks.doctor.cases.step_faults.plan import Plan, adam, planned, sgd
from benchmarks.doctor.cases.step_faults.unseen import drawn


def filters_alike(cured: bool) -> Plan:
    """All filters of both convolutions begin as one."""
    model = drawn.Eye()
    if not cured:
        for layer in (model.conv1, model.conv2, model.fc):
            nn.init.constant_(layer.weight, 0.02)
            nn.init.zeros_(layer.bias)
    return Plan(drawn.shapes(), model, F.cross_entropy, adam(5e-3), 14)


def drawn_by_one(cured: bool) -> Plan:
    """Every matrix of a reader is drawn with a deviation of 1.5, its head with one of 15."""
    model = drawn.Reader()
    if not cured:
        for weight in model.parameters():
            if weight.dim() > 1:
                nn.init.normal_(weight, std=1.5)
        nn.init.normal_(model.out.weight, std=15.0)
    return Plan(drawn.letters(), model, F.cross_entropy, sgd(0.05, momentum=0.9), 30)


def hardly_drawn(cured: bool) -> Plan:
    """Two GRUs above one another, with weights of a thousandth and no biases."""
    model = drawn.Ear(layers=2)
    if not cured:
        for name, weight in model.gru.named_parameters():
            if "weight" in name:
                nn.init.normal_(weight, std=1e-3)
            else:
                nn.init.zeros_(weight)
    return Plan(drawn.beats(), model, F.cross_entropy, sgd(0.2, momentum=0.9), 14)


PAIRS: list[Pair] = [
    planned(
        "shapes: filters that begin as one",
        "shapes: filters drawn at random",
        ("symmetric_units",),
        filters_alike,
        0.75,
        0.9,
    ),
    planned(
        "letters: matrices of deviation 1.5",
        "letters: matrices as PyTorch draws them",
        ("output_overconfident", "signal_explodes", "exploding_gradient"),
        drawn_by_one,
        0.8,
        0.9,
    ),
    planned(
        "beats: weights of a thousandth",
        "beats: weights as PyTorch draws them",
        ("signal_vanishes", "vanishing_gradient", "symmetric_units"),
        hardly_drawn,
        0.6,
        0.9,
    ),
]
