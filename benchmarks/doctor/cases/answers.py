"""Cases whose fault shows in what the trained network answers."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.healthy import small
from benchmarks.doctor.cases.published import adam
from benchmarks.doctor.loop import Case, Pair, Setup

Halves = tuple[Pair, Pair]
Build = Callable[[int], Setup]


def sums(steps: int = 20) -> Halves:
    """Sequences of 3 numbers a step; is the sum of the first ones, over 12 steps, above 0?"""
    x = torch.randn(1400, steps, 3)
    y = (x[:, :12, 0].sum(1) > 0).long()
    return (x[:1100], y[:1100]), (x[1100:], y[1100:])


class Recurrent(nn.Module):
    """One step of a recurrent layer, and a linear layer on it."""

    def __init__(self, layer: nn.Module, width: int, step: int = -1) -> None:
        super().__init__()
        self.layer, self.out, self.step = layer, nn.Linear(width, 2), step

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.out(self.layer(x)[0][:, self.step])
        return answer


def recurrent(layer: type[nn.Module], batch_first: bool = True, step: int = -1) -> Build:
    def build(seed: int) -> Setup:
        torch.manual_seed(seed)
        train, valid = sums()
        model = Recurrent(layer(3, 24, batch_first=batch_first), 24, step)
        return Setup(model, adam(model, 5e-3), F.cross_entropy, train, valid, batch=50, epochs=12)

    return build


class Dropping(nn.Module):
    """Dropout as a function, which works in evaluation mode, too, where nobody says otherwise."""

    def __init__(self, always: bool) -> None:
        super().__init__()
        self.always = always
        self.first, self.out = nn.Linear(64, 64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.relu(self.first(x))
        answer: Tensor = self.out(F.dropout(hidden, 0.5, training=self.always or self.training))
        return answer


CASES = [
    Case(
        "digits: functional dropout, always on",
        "faulty",
        build=small(lambda: Dropping(True), adam),
        conditions=("mode_mismatch",),
        twin="digits: functional dropout",
        structural=True,
    ),
    Case(
        "digits: functional dropout",
        "cured",
        conditions=(),
        build=small(lambda: Dropping(False), adam),
    ),
    Case(
        "sums: LSTM, time and batch exchanged",
        "faulty",
        build=recurrent(nn.LSTM, batch_first=False),
        conditions=("samples_mixed",),
        twin="sums: LSTM",
        structural=True,
    ),
    Case("sums: LSTM", "cured", conditions=(), build=recurrent(nn.LSTM)),
    Case(
        "sums: GRU, the first step is read",
        "faulty",
        build=recurrent(nn.GRU, step=0),
        conditions=("input_not_used",),
        twin="sums: GRU",
        structural=True,
    ),
    Case("sums: GRU", "cured", conditions=(), build=recurrent(nn.GRU)),
]
