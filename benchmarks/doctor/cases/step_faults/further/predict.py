"""Networks that cannot say the answer, or say another one when they are used."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

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
from benchmarks.doctor.data import Data
from benchmarks.doctor.networks import dense


class Shifted(nn.Module):
    """Two hidden layers; the second is moved before its ReLU."""

    def __init__(self, inputs: int, width: int, outputs: int, shift: float) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(inputs, width), nn.Linear(width, width)
        self.out, self.shift = nn.Linear(width, outputs), shift

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.relu(self.two(F.relu(self.one(x))) - self.shift))


class Forgetful(nn.Module):
    """Drops hidden values by a function."""

    def __init__(self, inputs: int, width: int, outputs: int, rate: float, told: bool) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(inputs, width), nn.Linear(width, outputs)
        self.rate, self.told = rate, told

    def forward(self, x: Tensor) -> Tensor:
        training = self.training if self.told else True
        return self.out(F.dropout(F.relu(self.hidden(x)), self.rate, training))


def only_linear(cured: bool) -> Plan:
    model = dense(2, 40, 40, 1, activation=nn.SiLU if cured else nn.Identity)
    return Plan(sets.spirals(), model, logits, adam(0.01), 60, score=above(0))


def neck_of_one(cured: bool) -> Plan:
    model = dense(15, 32, 16 if cured else 1, 32, 4, activation=nn.Tanh)
    return Plan(sets.factors(), model, F.cross_entropy, sgd(0.1, momentum=0.9), 20)


def drops_when_judged(cured: bool) -> Plan:
    layers = [nn.Linear(18, 60), nn.ReLU(), nn.Dropout(0.85), nn.Linear(60, 3)]
    return Plan(
        sets.sensors(),
        nn.Sequential(*layers),
        F.cross_entropy,
        adam(5e-3),
        20,
        loader=True,
        eval_mode=cured,
    )


def drops_by_function(cured: bool) -> Plan:
    model = Forgetful(3, 120, 1, 0.7, cured)
    return Plan(sets.roll(), model, nn.MSELoss(), adam(0.01), 50, score=explained)


def norm_asleep(cured: bool) -> Plan:
    """The columns are raw, and the norm that should take care of them is in evaluation mode."""
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 40), nn.ReLU(), nn.Linear(40, 1))
    return Plan(
        sets.resistance(scaled=False),
        model,
        F.mse_loss,
        adam(5e-3),
        30,
        score=explained,
        train_mode=cured,
    )


def flat_sigmoids(cured: bool) -> Plan:
    (x, y), (xv, yv) = sets.hastie()
    factor = 1 if cured else 400
    data: Data = ((factor * x, y), (factor * xv, yv))
    model = dense(10, 60, 1, activation=nn.Sigmoid)
    return Plan(data, model, logits, adam(0.01), 30, score=above(0))


def moved_below(cured: bool) -> Plan:
    model = Shifted(20, 48, 5, 0.0 if cured else 9.0)
    return Plan(sets.tags(), model, logits, adam(2e-3), 15, score=above(0))


def still_statistics(cured: bool) -> Plan:
    model = sets.conv2d(8, 12, norm=True)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 0.1 if cured else 1e-5
    (x, y), (xv, yv) = sets.shapes()
    data: Data = ((6 * x + 3, y), (6 * xv + 3, yv))
    return Plan(data, model, F.cross_entropy, adam(3e-3), 10, loader=True)


PAIRS = [
    planned(
        "spirals: three linear layers",
        "spirals: SiLU between",
        ("no_nonlinearity",),
        only_linear,
        0.76,
        0.85,
    ),
    planned(
        "factors: a neck of one",
        "factors: a neck of sixteen",
        ("too_small", "underfitting"),
        neck_of_one,
        0.8,
        0.85,
    ),
    planned(
        "sensors: judged with 85 % dropped",
        "sensors: judged with nothing dropped",
        ("mode_mismatch",),
        drops_when_judged,
        0.8,
        0.85,
    ),
    planned(
        "roll: 70 % is always dropped",
        "roll: 70 % is dropped in training",
        ("mode_mismatch",),
        drops_by_function,
        0.86,
        0.9,
    ),
    planned(
        "resistance: the norm in evaluation mode",
        "resistance: the norm in training mode",
        ("mode_mismatch", "inputs_unscaled"),
        norm_asleep,
        0.8,
        0.85,
    ),
    planned(
        "hastie: sigmoids of hundreds",
        "hastie: sigmoids of ones",
        ("saturated_units", "inputs_unscaled"),
        flat_sigmoids,
        0.6,
        0.78,
    ),
    planned("tags: moved below zero", "tags: not moved", ("dead_units",), moved_below, 0.7, 0.8),
    planned(
        "shapes: statistics that never move",
        "shapes: statistics that follow",
        ("mode_mismatch",),
        still_statistics,
        0.8,
        0.85,
    ),
]
