"""Gradients that fade, add up, are cut short, are no numbers, or do not reach a part."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, right
from benchmarks.doctor.cases.step_faults.by_hand import drawn
from benchmarks.doctor.cases.step_faults.plan import Plan, above, adam, logits, planned, sgd
from benchmarks.doctor.networks import dense


def nine_sigmoids(cured: bool) -> Plan:
    """Nine layers of sigmoids."""
    activation = nn.ELU if cured else nn.Sigmoid
    model = dense(10, *[24] * 9, 1, activation=activation)
    return Plan(drawn.hastie(), model, logits, adam(2e-3), 20, 40, above(0))


def added_up(cured: bool, watch: Watch) -> Trained:
    """`zero_grad` is called once for each epoch, at its beginning."""
    (x, y), (xv, yv) = drawn.waves()
    model = drawn.Listener(1, 3, width=20)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    loader = DataLoader(TensorDataset(x, y), batch_size=30, shuffle=True)
    with watch(model, optimizer) as watching:
        for _epoch in range(10):
            optimizer.zero_grad()
            for series, kind in loader:
                if cured:
                    optimizer.zero_grad()
                loss = F.cross_entropy(model(series), kind)
                loss.backward()
                optimizer.step()
                watching.step(loss, target=kind)
    with torch.no_grad():
        score = right(model(xv), yv)
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watching, score, known)


def cut_short(cured: bool) -> Plan:
    """The longest gradient that is let through is a ten-thousandth."""
    model = drawn.seeing(12, 24)
    clip = 5.0 if cured else 1e-4
    return Plan(drawn.marks(), model, F.cross_entropy, sgd(0.1, momentum=0.9), 8, clip=clip)


class Siamese(nn.Module):
    """The nearer the codes of two points [B, 2, 2], the likelier they are of one arm. [B, 1]"""

    def __init__(self, safe: float) -> None:
        super().__init__()
        self.encoder = dense(2, 48, 48, 4)
        self.safe = safe

    def forward(self, pair: Tensor) -> Tensor:
        left, right = self.encoder(pair[:, 0]), self.encoder(pair[:, 1])
        distance = torch.sqrt(((left - right) ** 2).sum(1, keepdim=True) + self.safe)
        return 2 - distance


def root_of_zero(cured: bool, watch: Watch) -> Trained:
    """A few pairs are one point twice, and the slope of a root at 0 is infinite."""

    def pairs(x: Tensor, y: Tensor, count: int) -> tuple[Tensor, Tensor]:
        chosen = torch.randint(len(x), (count, 2))
        return x[chosen], (y[chosen[:, :1]] == y[chosen[:, 1:]]).float()

    train, valid = drawn.spirals()
    (x, same), (xv, same_v) = pairs(*train, 4000), pairs(*valid, 500)
    model = Siamese(1e-6 if cured else 0.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 64, 10):
            optimizer.zero_grad()
            loss = logits(model(x[chosen]), same[chosen])
            loss.backward()
            optimizer.step()
            watching.step(loss, target=same[chosen])
    with torch.no_grad():
        score = above(0)(model(xv), same_v)
    known = {"train": (x, same), "valid": (xv, same_v), "loss_fn": logits}
    return Trained(watching, score, known)


def head_only(cured: bool, watch: Watch) -> Trained:
    """An attention whose part that chooses is not given to the optimizer."""
    (x, y), (xv, yv) = drawn.baskets()
    net = drawn.Picker()
    parameters = [*net.values.parameters(), *net.head.parameters()]
    if cured:
        parameters += net.keys.parameters()
    optimizer = torch.optim.Adam(parameters, lr=1e-2)
    with watch(net, optimizer) as watching:
        for chosen in batches(len(x), 40, 20):
            descend(watching, optimizer, F.mse_loss(net(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = explained(net(xv), yv)
    return Trained(watching, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": F.mse_loss})


PAIRS: list[Pair] = [
    planned(
        "hastie: nine layers of sigmoids",
        "hastie: nine layers of ELU",
        ("vanishing_gradient", "signal_vanishes"),
        nine_sigmoids,
        0.6,
        0.75,
    ),
    Pair(
        "waves: gradients cleared once an epoch",
        "waves: gradients cleared each step",
        ("gradient_not_cleared",),
        added_up,
        0.75,
        0.9,
    ),
    planned(
        "marks: gradients no longer than .0001",
        "marks: gradients no longer than 5",
        ("gradient_clipped_away",),
        cut_short,
        0.6,
        0.9,
    ),
    Pair(
        "spirals: a point paired with itself, a root",
        "spirals: a point paired with itself, a root of a little more",
        ("not_finite",),
        root_of_zero,
        0.0,
        0.85,
    ),
    Pair(
        "baskets: the part that chooses is left out",
        "baskets: all parts are trained",
        ("parameters_not_updated",),
        head_only,
        0.5,
        0.85,
    ),
]
