"""Networks that cannot say it: straight lines, single places, too few units."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field_faults.pair import Pair
from benchmarks.doctor.cases.step_faults.plan import Plan, adam, planned
from benchmarks.doctor.cases.step_faults.unseen import drawn
from benchmarks.doctor.networks import dense


class ByHand(nn.Module):
    """Matrices and biases of one's own: [B, 2] -> [B, 3]"""

    def __init__(self, bend: bool) -> None:
        super().__init__()
        sizes = ((2, 40), (40, 40), (40, 3))
        self.weights = nn.ParameterList(torch.randn(i, o) * (2 / i) ** 0.5 for i, o in sizes)
        self.biases = nn.ParameterList(torch.zeros(o) for _, o in sizes)
        self.bend = bend

    def forward(self, x: Tensor) -> Tensor:
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = x @ weight + bias
            if self.bend and index < 2:
                x = torch.relu(x)
        return x


def products_only(cured: bool) -> Plan:
    """Product after product, with nothing between."""
    return Plan(drawn.rings(), ByHand(cured), F.cross_entropy, adam(1e-2), 15)


class Windows(nn.Module):
    """Convolutions over time and their mean: [B, T, 1] -> [B, 3]"""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(1, 32, size), nn.ReLU(), nn.Conv1d(32, 32, size), nn.ReLU()
        )
        self.out = nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.layers(x.transpose(1, 2)).mean(2))
        return out


def windows_of_one(cured: bool) -> Plan:
    """Windows of one moment, and a mean over all."""
    return Plan(drawn.beats(), Windows(5 if cured else 1), F.cross_entropy, adam(5e-3), 20)


def two_units(cured: bool) -> Plan:
    """Two units for rings that need more."""
    model = dense(2, 40, 40, 3) if cured else dense(2, 2, 3)
    return Plan(drawn.rings(), model, F.cross_entropy, adam(1e-2), 20)


def first_state(cured: bool) -> Plan:
    """The state after the first moment is read, not the one after the last."""
    model = drawn.Ear(place=-1 if cured else 0)
    return Plan(drawn.beats(), model, F.cross_entropy, adam(1e-2), 14)


PAIRS: list[Pair] = [
    planned(
        "rings: products and nothing between",
        "rings: products and ReLU between",
        ("no_nonlinearity",),
        products_only,
        0.6,
        0.95,
    ),
    planned(
        "beats: windows of one moment",
        "beats: windows of five moments",
        ("order_blind",),
        windows_of_one,
        0.7,
        0.9,
    ),
    planned(
        "rings: two units",
        "rings: two layers of forty",
        ("too_small", "underfitting"),
        two_units,
        0.85,
        0.95,
    ),
    planned(
        "beats: the first state is read",
        "beats: the last state is read",
        ("input_not_used",),
        first_state,
        0.6,
        0.9,
    ),
]
