"""Networks that cannot say it, or are asked in the wrong way."""

from __future__ import annotations

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
from benchmarks.doctor.networks import dense


class Plain(nn.Module):
    """Three layers, with an activation or without."""

    def __init__(self, inputs: int, width: int, outputs: int, bent: bool) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(inputs, width), nn.Linear(width, width)
        self.c, self.bent = nn.Linear(width, outputs), bent

    def forward(self, x: Tensor) -> Tensor:
        if self.bent:
            return self.c(torch.tanh(self.b(torch.tanh(self.a(x)))))
        return self.c(self.b(self.a(x)))


class Dropped(nn.Module):
    """Dropout as a function, which does not know of evaluation unless it is told."""

    def __init__(self, told: bool) -> None:
        super().__init__()
        self.a, self.b, self.told = nn.Linear(64, 64), nn.Linear(64, 10), told

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.a(x))
        h = F.dropout(h, 0.7, training=self.training) if self.told else F.dropout(h, 0.7)
        return self.b(h)


def linear_shells(cured: bool) -> Plan:
    return Plan(tables.quantiles(), Plain(4, 40, 3, cured), F.cross_entropy, adam(5e-3), 40)


def linear_wave(cured: bool) -> Plan:
    model = dense(1, 32, 32, 1, activation=nn.Tanh if cured else nn.Identity)
    return Plan(tables.wave(), model, F.mse_loss, adam(1e-2), 60, score=explained)


def linear_moons(cured: bool) -> Plan:
    model = dense(2, 24, 24, 24, 1, activation=nn.LeakyReLU if cured else nn.Identity)
    return Plan(tables.moons(), model, logits, sgd(0.1, momentum=0.9), 40, score=above(0))


def linear_conv(cured: bool) -> Plan:
    """Which of two shapes has the larger ring cannot be told by a linear map of the pixels."""
    model = conv(8, 8, classes=2, activation=nn.ReLU if cured else nn.Identity)
    x = torch.randn(1200, 1, 8, 8)
    y = (x[:, 0].square().mean((1, 2)) > 0.99).long()
    data = (x[:900], y[:900]), (x[900:], y[900:])
    return Plan(data, model, F.cross_entropy, adam(4e-3), 25)


def one_unit(cured: bool) -> Plan:
    return Plan(tables.digits(), dense(64, 48 if cured else 1, 10), F.cross_entropy, adam(1e-2), 20)


def two_units(cured: bool) -> Plan:
    model = dense(4, 48 if cured else 2, 3)
    return Plan(tables.quantiles(), model, F.cross_entropy, adam(1e-2), 40)


def narrow_wave(cured: bool) -> Plan:
    model = dense(1, 40 if cured else 1, 1, activation=nn.Tanh)
    return Plan(tables.wave(), model, F.mse_loss, adam(1e-2), 80, score=explained)


def dead_neck(cured: bool) -> Plan:
    model = dense(10, 32, 32, 1)
    if not cured:
        with torch.no_grad():
            model[2].weight.copy_(-model[2].weight.abs())
            model[2].bias.fill_(-0.5)
    return Plan(tables.friedman(), model, F.mse_loss, adam(1e-3), 20, score=explained)


def never_in_training(cured: bool) -> Plan:
    model = conv(8, 16, norm=True)
    for layer in model:
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.add_(2.0)
            layer.running_var.mul_(60.0)
    return Plan(tables.pictures(), model, F.cross_entropy, sgd(0.02), 6, train_mode=cured)


def judged_in_training(cured: bool) -> Plan:
    model = nn.Sequential(nn.Linear(13, 64), nn.ReLU(), nn.Dropout(0.8), nn.Linear(64, 3))
    plan = Plan(tables.wine(), model, F.cross_entropy, adam(5e-3), 30, 16, loader=True)
    plan.eval_mode = cured
    return plan


def functional_dropout(cured: bool) -> Plan:
    return Plan(tables.digits(), Dropped(cured), F.cross_entropy, adam(3e-3), 15)


def saturated(cured: bool) -> Plan:
    """Cancer's columns as they are, up to 4000, into sigmoids."""
    model = dense(30, 32, 1, activation=nn.Sigmoid)
    return Plan(tables.cancer(scaled=cured), model, logits, sgd(0.1), 25, score=above(0))


def tiny_momentum(cured: bool) -> Plan:
    model = nn.Sequential(
        nn.Linear(10, 48),
        nn.BatchNorm1d(48, momentum=0.1 if cured else 1e-5),
        nn.ReLU(),
        nn.Linear(48, 48),
        nn.BatchNorm1d(48, momentum=0.1 if cured else 1e-5),
        nn.ReLU(),
        nn.Linear(48, 1),
    )
    (x, y), (xv, yv) = tables.friedman()
    data = (4 * x + 6, y), (4 * xv + 6, yv)
    return Plan(data, model, F.mse_loss, adam(5e-3), 25, score=explained)


LINEAR = ("no_nonlinearity",)
PAIRS = [
    planned(
        "shells: three layers, no activation",
        "shells: three layers, tanh",
        LINEAR,
        linear_shells,
        0.6,
        0.75,
    ),
    planned("wave: no activation", "wave: tanh", LINEAR, linear_wave, 0.5, 0.8),
    planned("moons: no activation", "moons: leaky ReLU", LINEAR, linear_moons, 0.91, 0.94),
    planned("noise: convolutions alone", "noise: with ReLU", LINEAR, linear_conv, 0.65, 0.75),
    planned(
        "digits: one unit", "digits: 48 units", ("too_small", "dead_units"), one_unit, 0.6, 0.8
    ),
    planned(
        "shells: two units",
        "shells: 48 units",
        ("too_small", "dead_units", "underfitting"),
        two_units,
        0.75,
        0.8,
    ),
    planned(
        "wave: one unit", "wave: 40 units", ("too_small", "underfitting"), narrow_wave, 0.5, 0.8
    ),
    planned("friedman: a dead layer", "friedman: ReLU", ("dead_units",), dead_neck, 0.2, 0.7),
    planned(
        "pictures: trained in evaluation mode",
        "pictures: trained in training mode",
        ("mode_mismatch",),
        never_in_training,
        2.0,
        0.8,
    ),
    planned(
        "wine: judged with dropout",
        "wine: judged without",
        ("mode_mismatch",),
        judged_in_training,
        2.0,
        0.85,
    ),
    planned(
        "digits: dropout that is never off",
        "digits: dropout that is off in evaluation",
        ("mode_mismatch",),
        functional_dropout,
        2.0,
        0.85,
    ),
    planned(
        "cancer: raw into sigmoids",
        "cancer: scaled into sigmoids",
        ("inputs_unscaled", "saturated_units"),
        saturated,
        0.9,
        0.92,
    ),
    planned(
        "friedman: statistics that stand still",
        "friedman: statistics that move",
        ("mode_mismatch",),
        tiny_momentum,
        0.4,
        0.7,
    ),
]
