"""Weights that start alike, too small, too large, or sure of one answer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, right
from benchmarks.doctor.cases.step_faults.blind import samples
from benchmarks.doctor.cases.step_faults.plan import Plan, adam, planned
from benchmarks.doctor.data import digits
from benchmarks.doctor.networks import constant, dense


def every_weight_a_half(cured: bool) -> Plan:
    """One number for all weights, so that a layer is one unit many times over."""
    start = nn.init.xavier_uniform_ if cured else constant(0.3)
    model = dense(4, 24, 24, 3, activation=nn.Tanh, start=start)
    return Plan(samples.shells(), model, F.cross_entropy, adam(1e-2), 15)


def empty_kernels(cured: bool) -> Plan:
    """Kernels, matrices and biases of zeros, as a table of settings asks for."""
    model = samples.glance(10, 16)
    if not cured:
        for layer in model:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.get_parameter("bias"))
    return Plan(samples.plates(), model, F.cross_entropy, adam(5e-3), 6)


def ten_of_a_fiftieth(cured: bool) -> Plan:
    """Ten ReLU layers drawn with a spread of .02."""
    model = dense(
        4,
        *[32] * 10,
        1,
        start=nn.init.kaiming_normal_ if cured else lambda w: nn.init.normal_(w, std=0.02),
    )
    return Plan(samples.hull(), model, F.mse_loss, adam(2e-3), 20, score=explained)


def randn_for_pixels(cured: bool, watch: Watch) -> Trained:
    """`torch.randn` of the shape of a layer, and nothing divided."""
    (x, y), (xv, yv) = digits()
    model = dense(64, 96, 96, 10)
    if not cured:
        for layer in model:
            if isinstance(layer, nn.Linear):
                layer.weight = nn.Parameter(torch.randn(layer.weight.shape))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    with watch(model, optimizer) as watching:
        for _epoch in range(10):
            for rows in torch.randperm(len(x)).split(26):
                optimizer.zero_grad()
                loss = criterion(model(x[rows]), y[rows])
                loss.backward()
                optimizer.step()
                watching.step(loss, target=y[rows])
    with torch.no_grad():
        score = right(model(xv), yv)
    return Trained(watching, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": criterion})


def gates_wide_open(cured: bool, watch: Watch) -> Trained:
    """All parameters of an LSTM between -6 and 6: its gates are open or closed, and stay so."""
    (x, y), (xv, yv) = samples.strolls()
    model = samples.Ear(2, 1, kind=nn.LSTM)
    if not cured:
        for parameter in model.memory.parameters():
            nn.init.uniform_(parameter, -6, 6)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 50, 14):
            descend(watching, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.mse_loss}
    return Trained(watching, explained(model(xv), yv), known)


def loud_offers(cured: bool) -> Plan:
    """The matrices that make queries, keys and values are drawn fifty times too large."""
    model = samples.Bidders()
    if not cured:
        with torch.no_grad():
            for parameter in model.layer.self_attn.parameters():
                parameter.mul_(50)
            model.out.weight.mul_(50)
    return Plan(samples.auctions(), model, F.mse_loss, adam(3e-3), 15, 40, explained)


def bias_of_another_unit(cured: bool) -> Plan:
    """The last bias starts at the mean drag in newton, and the drag has been standardised since."""
    model = dense(4, 48, 48, 1)
    if not cured:
        nn.init.constant_(model.get_parameter("4.bias"), 350.0)
    return Plan(samples.hull(), model, F.mse_loss, adam(3e-3), 12, 30, explained, loader=True)


PAIRS: list[Pair] = [
    planned(
        "quantiles: every weight .3",
        "quantiles: weights drawn, tanh",
        ("symmetric_units",),
        every_weight_a_half,
        0.6,
        0.75,
    ),
    planned(
        "plates: kernels of zeros",
        "plates: kernels as drawn",
        ("symmetric_units", "signal_vanishes"),
        empty_kernels,
        0.5,
        0.9,
    ),
    planned(
        "hull: ten layers of .02",
        "hull: ten layers, Kaiming",
        ("signal_vanishes", "vanishing_gradient"),
        ten_of_a_fiftieth,
        0.2,
        0.8,
    ),
    Pair(
        "pixels: torch.randn for each matrix",
        "pixels: matrices as PyTorch draws them",
        ("signal_explodes", "output_overconfident"),
        randn_for_pixels,
        0.5,
        0.86,
    ),
    Pair(
        "strolls: an LSTM between -6 and 6",
        "strolls: an LSTM as drawn",
        ("saturated_units", "signal_explodes"),
        gates_wide_open,
        0.5,
        0.8,
    ),
    planned(
        "auctions: attention fifty times as large",
        "auctions: attention as drawn",
        ("output_overconfident", "signal_explodes"),
        loud_offers,
        0.5,
        0.9,
    ),
    planned(
        "hull: a bias of 350 for standardised drags",
        "hull: a bias as drawn for standardised drags",
        ("output_overconfident",),
        bias_of_another_unit,
        0.2,
        0.85,
    ),
]
