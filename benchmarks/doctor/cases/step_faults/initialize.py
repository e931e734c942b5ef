"""Parameters that start badly."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.step_faults import tables
from benchmarks.doctor.cases.step_faults.plan import (
    Plan,
    above,
    adam,
    conv,
    explained,
    logits,
    planned,
    sgd,
)
from benchmarks.doctor.networks import constant, dense


class Squared(nn.Module):
    """x -> x²"""

    def forward(self, x: Tensor) -> Tensor:
        return x * x


class Tower(nn.Module):
    """Layers in a ModuleList, the activation as a function."""

    def __init__(self, sizes: list[int], std: float | None = None, bias: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        for layer in self.layers:
            if std is not None:
                nn.init.normal_(layer.weight, std=std)
                nn.init.zeros_(layer.bias)
        for layer in self.layers[:-1]:
            with torch.no_grad():
                layer.bias += bias

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


def xavier(gain: float) -> object:
    return lambda weight: nn.init.xavier_normal_(weight, gain)


def deep_sigmoid(cured: bool) -> Plan:
    activation = nn.SELU if cured else nn.Sigmoid
    model = dense(2, *[12] * 7, 1, activation=activation)
    return Plan(tables.moons(), model, logits, sgd(0.1), 40, 32, above(0))


def squares(cured: bool) -> Plan:
    model = dense(13, *[16] * 6, 3, activation=nn.ELU if cured else Squared)
    return Plan(tables.wine(), model, F.cross_entropy, sgd(0.05), 30, 16)


def small_tanh(cured: bool) -> Plan:
    start = xavier(1.0) if cured else (lambda w: nn.init.normal_(w, std=0.01))
    model = dense(13, *[24] * 5, 3, activation=nn.Tanh, start=start)
    return Plan(tables.wine(), model, F.cross_entropy, sgd(0.05), 30, 16, loader=True)


def alike(cured: bool) -> Plan:
    model = dense(30, 24, 12, 1, activation=nn.Tanh, start=None if cured else constant(0.02))
    return Plan(tables.cancer(), model, logits, adam(3e-3), 20, 32, above(0))


def zeros(cured: bool) -> Plan:
    model = dense(4, 20, 20, 3, activation=nn.Tanh, start=None if cured else constant(0.0))
    return Plan(tables.iris(), model, F.cross_entropy, adam(1e-2), 30, 16)


def filters_alike(cured: bool) -> Plan:
    model = conv(8, 8)
    if not cured:
        for layer in model:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.constant_(layer.weight, 0.05)
                nn.init.zeros_(layer.bias)
    return Plan(tables.pictures(), model, F.cross_entropy, adam(2e-3), 10)


def wide_normal(cured: bool) -> Plan:
    model = Tower([64, 256, 10], None if cured else 1.0)
    return Plan(tables.digits(), model, F.cross_entropy, sgd(0.02), 12)


def regression_normal(cured: bool) -> Plan:
    model = Tower([10, 128, 128, 1], None if cured else 1.0)
    return Plan(tables.friedman(), model, F.mse_loss, adam(1e-3), 15, score=explained)


def deep_default(cured: bool) -> Plan:
    model = dense(64, *[48] * 10, 10)
    if cured:
        for layer in model:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return Plan(tables.digits(), model, F.cross_entropy, sgd(0.03), 12)


def tanh_gain(cured: bool) -> Plan:
    model = dense(30, *[40] * 5, 1, activation=nn.Tanh, start=xavier(1.0 if cured else 12.0))
    return Plan(tables.cancer(), model, logits, sgd(0.02), 12, 32, above(0))


def orthogonal(cured: bool) -> Plan:
    gain = 1.4 if cured else 4.0
    model = dense(64, *[64] * 7, 10, start=lambda w: nn.init.orthogonal_(w, gain))
    return Plan(tables.digits(), model, F.cross_entropy, sgd(0.02, momentum=0.5), 10)


def biases_below(cured: bool) -> Plan:
    model = Tower([6, 64, 64, 5], bias=0.0 if cured else -6.0)
    return Plan(tables.clouds(), model, F.cross_entropy, sgd(0.1), 15, loader=True)


def sure_output(cured: bool) -> Plan:
    model = dense(64, 96, 10, activation=nn.GELU)
    if not cured:
        with torch.no_grad():
            model[-1].weight.mul_(100)
    return Plan(tables.digits(), model, F.cross_entropy, sgd(0.1), 8)


def uniform_conv(cured: bool) -> Plan:
    model = conv(8, 16, 16)
    if not cured:
        for layer in model:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.uniform_(layer.weight, -0.005, 0.005)
                nn.init.zeros_(layer.bias)
    return Plan(tables.pictures(), model, F.cross_entropy, sgd(0.2), 12)


VANISHES = ("signal_vanishes", "vanishing_gradient")
EXPLODES = ("signal_explodes", "exploding_gradient", "output_overconfident", "not_finite")
PAIRS = [
    planned(
        "moons: seven sigmoid layers",
        "moons: seven SELU layers",
        ("vanishing_gradient", "signal_vanishes", "saturated_units"),
        deep_sigmoid,
        0.7,
        0.8,
    ),
    planned("wine: six squares", "wine: six ELU layers", VANISHES, squares, 0.6, 0.85),
    planned(
        "wine: five tanh layers of .01",
        "wine: five tanh layers, Xavier",
        VANISHES,
        small_tanh,
        0.6,
        0.85,
    ),
    planned("cancer: every weight .02", "cancer: default", ("symmetric_units",), alike, 2.0, 0.85),
    planned("iris: zeros, tanh", "iris: tanh", ("symmetric_units",), zeros, 0.7, 0.85),
    planned(
        "pictures: filters alike",
        "pictures: default filters",
        ("symmetric_units",),
        filters_alike,
        2.0,
        0.8,
    ),
    planned(
        "digits: N(0, 1), 256 wide",
        "digits: 256 wide",
        ("output_overconfident", "signal_explodes"),
        wide_normal,
        0.88,
        0.88,
    ),
    planned(
        "friedman: N(0, 1), two layers",
        "friedman: two layers",
        ("output_overconfident", "signal_explodes"),
        regression_normal,
        0.4,
        0.7,
    ),
    planned(
        "digits: ten ReLU layers",
        "digits: ten ReLU layers, Kaiming",
        VANISHES,
        deep_default,
        0.5,
        0.8,
    ),
    planned(
        "cancer: tanh, twelve times Xavier",
        "cancer: tanh, Xavier",
        ("saturated_units", "signal_explodes", "output_overconfident"),
        tanh_gain,
        0.88,
        0.9,
    ),
    planned(
        "digits: orthogonal times 4",
        "digits: orthogonal times 1.4",
        (*EXPLODES, "learning_rate_too_high"),
        orthogonal,
        0.5,
        0.8,
    ),
    planned("clouds: biases of -6", "clouds: biases of 0", ("dead_units",), biases_below, 0.5, 0.7),
    planned(
        "digits: last layer times 100",
        "digits: GELU",
        ("output_overconfident",),
        sure_output,
        0.86,
        0.88,
    ),
    planned(
        "pictures: filters within .005",
        "pictures: three layers",
        VANISHES,
        uniform_conv,
        0.5,
        0.8,
    ),
]
