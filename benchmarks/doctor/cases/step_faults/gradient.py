"""Gradients that do not come, are not cleared, or do not arrive at the parameters."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim

from benchmarks.doctor.cases.field.trained import Trained, batches
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known, right
from benchmarks.doctor.cases.step_faults import tables
from benchmarks.doctor.cases.step_faults.plan import (
    Plan,
    above,
    adam,
    conv,
    logits,
    planned,
    sgd,
)
from benchmarks.doctor.networks import dense


class Cut(nn.Module):
    """A body and a head; the graph is cut between them unless `whole`."""

    def __init__(self, whole: bool) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(64, 12), nn.Linear(12, 10)
        self.whole = whole

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.body(x))
        return self.head(h if self.whole else h.data)


class Weights(nn.Module):
    """Matrices of one's own, as a textbook that teaches tensors first writes them."""

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        self.w1 = nn.Parameter(torch.randn(inputs, width) / inputs**0.5)
        self.b1 = nn.Parameter(torch.zeros(width))
        self.w2 = nn.Parameter(torch.randn(width, outputs) / width**0.5)
        self.b2 = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x @ self.w1 + self.b1) @ self.w2 + self.b2


def not_cleared(cured: bool) -> Plan:
    return Plan(tables.digits(), dense(64, 64, 10), F.cross_entropy, sgd(0.1), 15, clear=cured)


def not_cleared_numbers(cured: bool) -> Plan:
    model = dense(10, 32, 32, 1, activation=nn.Tanh)
    return Plan(
        tables.friedman(),
        model,
        nn.HuberLoss(),
        sgd(0.1, momentum=0.8),
        25,
        score=explained,
        clear=cured,
    )


def not_cleared_pictures(cured: bool) -> Plan:
    return Plan(tables.pictures(), conv(8, 8), F.cross_entropy, sgd(0.1), 12, clear=cured)


def ten_sigmoids(cured: bool) -> Plan:
    activation = nn.ELU if cured else nn.Sigmoid
    model = dense(64, *[40] * 6, 10, activation=activation)
    return Plan(tables.digits(), model, F.cross_entropy, sgd(0.15), 40)


def deep_sigmoid_numbers(cured: bool) -> Plan:
    activation = nn.Tanh if cured else nn.Sigmoid
    model = dense(10, *[20] * 6, 1, activation=activation)
    return Plan(tables.friedman(), model, F.mse_loss, sgd(0.05), 25, score=explained)


def head_alone(cured: bool) -> Plan:
    model = dense(6, 4, 4, 5, activation=nn.Tanh)
    return Plan(
        tables.clouds(),
        model,
        F.cross_entropy,
        lambda m: optim.Adam((m if cured else m[-1]).parameters(), 5e-3),
        20,
    )


def another_network(cured: bool) -> Plan:
    other = dense(30, 16, 1)
    return Plan(
        tables.cancer(),
        dense(30, 16, 1),
        logits,
        lambda m: optim.AdamW((m if cured else other).parameters(), 3e-3),
        15,
        score=above(0),
    )


def no_step(cured: bool) -> Plan:
    return Plan(tables.pictures(), conv(8, 16), F.cross_entropy, adam(3e-3), 10, step=cured)


def frozen_start(cured: bool) -> Plan:
    """The first layer is so narrow that it must be learned."""
    model = dense(64, 3, 32, 10)
    model[0].requires_grad_(cured)
    return Plan(tables.digits(), model, F.cross_entropy, adam(5e-3), 30)


def cut_off(cured: bool) -> Plan:
    return Plan(tables.digits(), Cut(cured), F.cross_entropy, adam(5e-3), 15)


def clipped_away(cured: bool) -> Plan:
    return Plan(
        tables.digits(),
        dense(64, 48, 10),
        F.cross_entropy,
        sgd(0.1),
        10,
        clip=1.0 if cured else 1e-3,
    )


def rebound(cured: bool, watch: Watch) -> Trained:
    """The new values go to a name of the loop's own, and the network keeps the old ones."""
    (x, y), (xv, yv) = tables.digits()
    model = Weights(64, 32, 10)
    with watch(model) as watching:
        for chosen in batches(len(x), 32, 12):
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            loss.backward()
            with torch.no_grad():
                for p in model.parameters():
                    if cured:
                        p -= 0.3 * p.grad
                    else:
                        p = p - 0.3 * p.grad
            model.zero_grad()
            watching.step(loss, target=y[chosen])
    data = known(torch.cat([x, xv]), torch.cat([y, yv]), len(x), F.cross_entropy)
    return Trained(watching, right(model(xv), yv), data)


def added_up(cured: bool, watch: Watch) -> Trained:
    """Descent by hand, the gradient never set to zero."""
    (x, y), (xv, yv) = tables.friedman()
    model = Weights(10, 32, 1)
    with watch(model) as watching:
        for chosen in batches(len(x), 32, 20):
            loss = (model(x[chosen]) - y[chosen]).pow(2).mean()
            loss.backward()
            with torch.no_grad():
                for p in model.parameters():
                    p.sub_(p.grad, alpha=0.1)
                    if cured:
                        p.grad.zero_()
            watching.step(loss, target=y[chosen])
    data = known(torch.cat([x, xv]), torch.cat([y, yv]), len(x), F.mse_loss)
    return Trained(watching, explained(model(xv), yv), data)


NOT_CLEARED = ("gradient_not_cleared",)
NOT_UPDATED = ("parameters_not_updated",)
VANISHES = ("vanishing_gradient", "signal_vanishes")
PAIRS = [
    planned("digits: not cleared", "digits: cleared", NOT_CLEARED, not_cleared, 0.7, 0.85),
    planned(
        "friedman: not cleared", "friedman: cleared", NOT_CLEARED, not_cleared_numbers, 0.6, 0.7
    ),
    planned(
        "pictures: not cleared", "pictures: cleared", NOT_CLEARED, not_cleared_pictures, 0.7, 0.75
    ),
    planned(
        "digits: six sigmoid layers", "digits: six ELU layers", VANISHES, ten_sigmoids, 0.4, 0.8
    ),
    planned(
        "friedman: six sigmoid layers",
        "friedman: six tanh layers",
        VANISHES,
        deep_sigmoid_numbers,
        0.2,
        0.6,
    ),
    planned("clouds: the head alone", "clouds: all layers", NOT_UPDATED, head_alone, 0.65, 0.7),
    planned(
        "cancer: another network's AdamW",
        "cancer: its own AdamW",
        NOT_UPDATED,
        another_network,
        0.88,
        0.9,
    ),
    planned("pictures: no step", "pictures: a step", NOT_UPDATED, no_step, 0.4, 0.85),
    planned(
        "digits: a frozen neck", "digits: a neck that learns", NOT_UPDATED, frozen_start, 0.7, 0.72
    ),
    planned("digits: cut by .data", "digits: not cut", NOT_UPDATED, cut_off, 2.0, 0.85),
    planned(
        "digits: clipped to .001",
        "digits: clipped to 1",
        ("gradient_clipped_away", "learning_rate_too_low"),
        clipped_away,
        0.6,
        0.8,
    ),
    Pair("digits: rebound by hand", "digits: in place by hand", NOT_UPDATED, rebound, 0.4, 0.85),
    Pair("friedman: added up by hand", "friedman: zeroed by hand", NOT_CLEARED, added_up, 0.6, 0.7),
]
