"""Weights and biases that start badly."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.doctor.cases.step_faults.further import sets
from benchmarks.doctor.cases.step_faults.plan import (
    Plan,
    above,
    adam,
    explained,
    logits,
    planned,
    sgd,
)
from benchmarks.doctor.networks import dense


def faint_hardtanh(cured: bool) -> Plan:
    model = dense(2, *[24] * 5, 1, activation=nn.Hardtanh)
    if cured:
        sets.each_weight(model, lambda w: nn.init.xavier_normal_(w, 1.3), 0.0)
    else:
        sets.each_weight(model, lambda w: nn.init.uniform_(w, -0.02, 0.02), 0.0)
    return Plan(sets.spirals(), model, logits, sgd(0.1, momentum=0.9), 60, 50, above(0))


def alike_along_time(cured: bool) -> Plan:
    model = sets.conv1d(12, 12)
    if not cured:
        sets.each_weight(model, lambda w: nn.init.constant_(w, 0.05), 0.0)
    return Plan(sets.signals(), model, F.cross_entropy, adam(5e-3), 15, loader=True)


def deviation_of_two(cured: bool) -> Plan:
    model = dense(15, 100, 100, 4, activation=nn.LeakyReLU)
    if not cured:
        sets.each_weight(model, lambda w: nn.init.normal_(w, std=2.0))
    return Plan(sets.factors(), model, F.cross_entropy, adam(1e-3), 12, 40)


def far_below(cured: bool) -> Plan:
    model = sets.each_weight(dense(3, 50, 50, 1), None, 0.0 if cured else -8.0)
    with torch.no_grad():
        model[-1].bias.zero_()
    return Plan(sets.roll(), model, F.smooth_l1_loss, adam(4e-3), 40, score=explained)


def loud_head(cured: bool) -> Plan:
    model = sets.Skips(18, 32, 3)
    with torch.no_grad():
        model.leave.weight.mul_(1 if cured else 300)
    return Plan(sets.sensors(), model, F.cross_entropy, sgd(0.01, momentum=0.9), 8, 25)


def nothing_but_zeros(cured: bool) -> Plan:
    model = dense(2, 30, 30, 3, activation=nn.Tanh)
    if not cured:
        sets.each_weight(model, nn.init.zeros_, 0.0)
    return Plan(sets.rings(), model, nn.CrossEntropyLoss(), adam(0.01), 30, 30)


def loud_filters(cured: bool) -> Plan:
    model = sets.conv2d(8, 8, 8)
    sets.each_weight(model, nn.init.kaiming_normal_)
    if not cured:
        sets.each_weight(model, lambda w: w.mul_(6))
    return Plan(sets.shapes(), model, F.cross_entropy, sgd(0.02, momentum=0.9), 10)


VANISHES = ("signal_vanishes", "vanishing_gradient")
LOUD = ("output_overconfident", "signal_explodes")
PAIRS = [
    planned(
        "spirals: Hardtanh from .02",
        "spirals: Hardtanh, Xavier",
        VANISHES,
        faint_hardtanh,
        0.7,
        0.85,
    ),
    planned(
        "signals: every filter .05",
        "signals: default filters",
        ("symmetric_units",),
        alike_along_time,
        0.8,
        0.85,
    ),
    planned("factors: N(0, 2)", "factors: default weights", LOUD, deviation_of_two, 0.8, 0.85),
    planned("roll: biases of -8", "roll: biases of 0", ("dead_units",), far_below, 0.3, 0.8),
    planned(
        "sensors: head times 300",
        "sensors: head as it comes",
        ("output_overconfident",),
        loud_head,
        0.8,
        0.85,
    ),
    planned(
        "rings: zeros, tanh",
        "rings: default, tanh",
        ("symmetric_units",),
        nothing_but_zeros,
        0.8,
        0.85,
    ),
    planned(
        "shapes: Kaiming times 6",
        "shapes: Kaiming",
        (*LOUD[::-1], "exploding_gradient", "learning_rate_too_high"),
        loud_filters,
        0.8,
        0.85,
    ),
]
