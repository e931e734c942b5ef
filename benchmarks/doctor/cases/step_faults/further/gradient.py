"""Gradients that are too small, too large, left over, thrown away, or reach nothing."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim

from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch
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


class Steps(nn.Module):
    """A narrow hidden layer of which only the sign is passed on, if `hard`."""

    def __init__(self, inputs: int, width: int, outputs: int, hard: bool) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(inputs, 32), nn.ReLU(), nn.Linear(32, width))
        self.out, self.hard = nn.Linear(width, outputs), hard

    def forward(self, x: Tensor) -> Tensor:
        h = self.inner(x)
        return self.out((h > 0).float() if self.hard else torch.tanh(h))


class Extractor(nn.Module):
    """Features of a signal, and a linear reading of them."""

    def __init__(self, learns: bool) -> None:
        super().__init__()
        self.features = sets.conv1d(2, 2, classes=4)
        self.reading, self.learns = nn.Linear(4, 4), learns

    def forward(self, x: Tensor) -> Tensor:
        with torch.set_grad_enabled(self.learns and torch.is_grad_enabled()):
            h = torch.tanh(self.features(x))
        return self.reading(h)


def left_over(cured: bool) -> Plan:
    model = dense(15, 48, 48, 4)
    return Plan(sets.factors(), model, F.cross_entropy, sgd(0.1), 20, 24, clear=cured)


def left_over_signals(cured: bool) -> Plan:
    model = sets.conv1d(8, 8, norm=True)
    optimizer = sgd(0.1, momentum=0.9)
    return Plan(sets.signals(), model, F.cross_entropy, optimizer, 12, clear=cured, loader=True)


def eight_sigmoids(cured: bool) -> Plan:
    model = dense(2, *[20] * 7, 3, activation=nn.SELU if cured else nn.Sigmoid)
    return Plan(sets.rings(), model, F.cross_entropy, adam(3e-3), 30)


def a_copy_is_trained(cured: bool) -> Plan:
    twin = copy.deepcopy
    return Plan(
        sets.roll(),
        sets.Skips(3, 40, 1),
        F.l1_loss,
        lambda m: optim.NAdam((m if cured else twin(m)).parameters(), 4e-3),
        30,
        score=explained,
    )


def unseen_features(cured: bool) -> Plan:
    return Plan(sets.signals(), Extractor(cured), F.cross_entropy, adam(0.01), 40, 20)


def clipped_small(cured: bool) -> Plan:
    return Plan(
        sets.hastie(),
        dense(10, 60, 1),
        logits,
        sgd(0.2),
        30,
        16,
        above(0),
        clip=5.0 if cured else 2e-3,
    )


def growing_layers(cured: bool) -> Plan:
    model = dense(10, *[32] * 12, 1)
    gain = 1.0 if cured else 3.0
    sets.each_weight(model, lambda w: nn.init.kaiming_normal_(w).mul_(gain), 0.0)
    return Plan(sets.sparse(), model, F.mse_loss, adam(1e-3), 20, 60, explained)


def only_signs(cured: bool) -> Plan:
    return Plan(sets.sensors(), Steps(18, 2, 3, not cured), F.cross_entropy, adam(0.01), 25)


def cleared_before_use(cured: bool, watch: Watch) -> Trained:
    (x, y), (xv, yv) = sets.shapes()
    model = sets.conv2d(6, 6)
    optimizer = optim.RMSprop(model.parameters(), 4e-3)
    loss_fn = nn.CrossEntropyLoss()
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 25, 12):
            optimizer.zero_grad()
            loss = loss_fn(model(x[chosen]), y[chosen])
            loss.backward()
            if not cured:
                model.zero_grad()
            optimizer.step()
            watching.step(loss, target=y[chosen])
    data = {"train": (x, y), "valid": (xv, yv), "loss_fn": loss_fn}
    return Trained(watching, accuracy(model, xv, yv), data)


NOT_UPDATED = ("parameters_not_updated",)
LEFT_OVER = ("gradient_not_cleared",)
PAIRS = [
    planned(
        "factors: gradients left over",
        "factors: gradients cleared",
        LEFT_OVER,
        left_over,
        0.8,
        0.85,
    ),
    planned(
        "signals: gradients left over",
        "signals: gradients cleared",
        LEFT_OVER,
        left_over_signals,
        0.8,
        0.85,
    ),
    planned(
        "rings: seven sigmoid layers",
        "rings: seven SELU layers",
        ("vanishing_gradient", "signal_vanishes", "saturated_units"),
        eight_sigmoids,
        0.8,
        0.85,
    ),
    planned(
        "roll: a copy is trained",
        "roll: the network is trained",
        NOT_UPDATED,
        a_copy_is_trained,
        0.3,
        0.8,
    ),
    planned(
        "signals: features without gradients",
        "signals: features with gradients",
        NOT_UPDATED,
        unseen_features,
        0.8,
        0.85,
    ),
    planned(
        "hastie: clipped to .002",
        "hastie: clipped to 5",
        ("gradient_clipped_away", "learning_rate_too_low"),
        clipped_small,
        0.8,
        0.85,
    ),
    planned(
        "sparse: twelve layers, each three times",
        "sparse: twelve layers, Kaiming",
        ("exploding_gradient", "signal_explodes", "output_overconfident"),
        growing_layers,
        0.3,
        0.6,
    ),
    planned(
        "sensors: signs alone are passed on",
        "sensors: tanh is passed on",
        (*NOT_UPDATED, "vanishing_gradient"),
        only_signs,
        0.8,
        0.85,
    ),
    Pair(
        "shapes: cleared before the step",
        "shapes: cleared before the pass",
        ("gradient_discarded", *NOT_UPDATED),
        cleared_before_use,
        0.5,
        0.85,
    ),
]
