"""Weights that start too small, too large, or alike."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, right
from benchmarks.doctor.cases.step_faults.by_hand import drawn
from benchmarks.doctor.cases.step_faults.plan import Plan, above, logits, planned, sgd
from benchmarks.doctor.networks import dense


def tanh_of_a_hundredth(cured: bool) -> Plan:
    """Eight tanh layers, whose weights are drawn as in an old book."""
    model = dense(
        10,
        *[32] * 8,
        1,
        activation=nn.Tanh,
        start=nn.init.xavier_normal_ if cured else lambda w: nn.init.normal_(w, std=0.01),
    )
    return Plan(drawn.hastie(), model, logits, sgd(0.05, momentum=0.9), 25, 50, above(0))


def filled(cured: bool, watch: Watch) -> Trained:
    """Every weight of a GRU is filled with one number."""
    (x, y), (xv, yv) = drawn.waves()
    model = drawn.Listener(1, 3)
    if not cured:
        for parameter in model.parameters():
            nn.init.constant_(parameter, 0.1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 50, 10):
            descend(watching, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watching, right(model(xv), yv), known)


def conv_normal(cured: bool) -> Plan:
    """Kernels from a normal distribution of spread 1, whatever the number of inputs."""
    model = drawn.seeing(16, 32, 32)
    for layer in model:
        if isinstance(layer, nn.Conv2d | nn.Linear) and not cured:
            nn.init.normal_(layer.weight, 0, 1)
    return Plan(drawn.marks(), model, F.cross_entropy, sgd(0.05, momentum=0.9), 8, loader=True)


class Perceptron(nn.Module):
    """Matrices of one's own."""

    def __init__(self, spread: float) -> None:
        super().__init__()
        self.w1 = nn.Parameter(spread * torch.randn(3, 64))
        self.b1 = nn.Parameter(torch.zeros(64))
        self.w2 = nn.Parameter(spread / 4 * torch.randn(64, 1))
        self.b2 = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x @ self.w1 + self.b1) @ self.w2 + self.b2


def own_zeros(cured: bool, watch: Watch) -> Trained:
    (x, y), (xv, yv) = drawn.roll()
    model = Perceptron(0.7 if cured else 0.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for _ in range(30):
            for batch in torch.randperm(len(x)).chunk(15):
                optimizer.zero_grad()
                loss = ((model(x[batch]) - y[batch]) ** 2).mean()
                loss.backward()
                optimizer.step()
                watching.step(loss, target=y[batch])
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": nn.MSELoss()}
    return Trained(watching, explained(model(xv), yv), known)


def loud_head(cured: bool) -> Plan:
    """The last layer is drawn far larger than the others."""
    model = dense(16, 64, 64, 4)
    if not cured:
        nn.init.normal_(model.get_parameter("4.weight"), std=60.0)
    return Plan(drawn.tickets(), model, F.cross_entropy, sgd(0.05), 15)


PAIRS: list[Pair] = [
    planned(
        "hastie: eight tanh layers of .01",
        "hastie: eight tanh layers, Xavier",
        ("signal_vanishes", "vanishing_gradient"),
        tanh_of_a_hundredth,
        0.6,
        0.7,
    ),
    Pair(
        "waves: a GRU filled with .1",
        "waves: a GRU as PyTorch draws it",
        ("symmetric_units",),
        filled,
        0.86,
        0.96,
    ),
    planned(
        "marks: kernels of spread 1",
        "marks: kernels as PyTorch draws them",
        ("signal_explodes", "output_overconfident"),
        conv_normal,
        0.7,
        0.9,
    ),
    Pair(
        "roll: own matrices of zeros",
        "roll: own matrices, drawn",
        ("symmetric_units", "signal_vanishes"),
        own_zeros,
        0.1,
        0.8,
    ),
    planned(
        "tickets: a last layer of spread 60",
        "tickets: a last layer as drawn",
        ("output_overconfident", "signal_explodes"),
        loud_head,
        0.6,
        0.82,
    ),
]
