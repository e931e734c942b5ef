"""Gradients that are never cleared, lost at a threshold, forgotten over time, or no numbers."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, fit
from benchmarks.doctor.cases.step_faults.fresh import samples
from benchmarks.doctor.cases.step_faults.fresh.loops import Last, judged
from benchmarks.doctor.networks import dense


def copy_cleared(cured: bool, watch: Watch) -> Trained:
    """Two networks are about, and `zero_grad` is called for the one that is not trained."""
    data = samples.shells()
    (x, y), _ = data
    model = dense(4, 48, 48, 3)
    best = copy.deepcopy(model)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with watch(model, optimizer) as watching:
        for _epoch in range(20):
            for chosen in torch.randperm(len(x)).split(30):
                (model if cured else best).zero_grad()
                loss = F.cross_entropy(model(x[chosen]), y[chosen])
                loss.backward()
                optimizer.step()
                watching.step(loss, target=y[chosen])
    return judged(watching, model, data, F.cross_entropy)


class Gate(nn.Module):
    """1 above zero and 0 below, which has no slope; or a sigmoid, which has one."""

    def __init__(self, hard: bool) -> None:
        super().__init__()
        self.hard = hard

    def forward(self, x: Tensor) -> Tensor:
        return (x > 0).float() if self.hard else torch.sigmoid(3 * x)


def hard_gates(cured: bool, watch: Watch) -> Trained:
    """Units that compare with zero pass no gradient on to what is before them."""
    data = samples.arms()
    (x, y), _ = data
    model = nn.Sequential(
        nn.Linear(4, 24),
        Gate(not cured),
        nn.Linear(24, 16),
        Gate(not cured),
        nn.Linear(16, 1),
    )
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 40, 20):
            optimizer.zero_grad()
            loss = F.mse_loss(model(x[chosen]), y[chosen])
            loss.backward()
            optimizer.step()
            watching.step(loss, target=y[chosen])
    return judged(watching, model, data, F.mse_loss)


def forgets_the_first(cured: bool, watch: Watch) -> Trained:
    """What is asked for came thirty hours ago, and each hour leaves a third of it."""
    data = samples.memos()
    (x, y), _ = data
    memory = nn.RNN(1, 32, batch_first=True)
    weight = memory.get_parameter("weight_hh_l0")
    nn.init.orthogonal_(weight, gain=1.0 if cured else 0.33)
    model = Last(memory, 4)
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    with watch(model, optimizer) as watching:
        for _epoch in range(14):
            for chosen in torch.randperm(len(x)).split(30):
                loss = F.cross_entropy(model(x[chosen]), y[chosen])
                descend(watching, optimizer, loss, y[chosen])
    return judged(watching, model, data, F.cross_entropy)


class Spread(nn.Module):
    """Answers by the mean and the spread of hidden features over time. [B, T, 1] -> [B, 1]"""

    def __init__(self, safe: bool) -> None:
        super().__init__()
        self.safe = safe
        self.each, self.out = nn.Linear(1, 16), nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.each(x))
        variance = (h - h.mean(1, keepdim=True)).square().mean(1)
        spread = torch.sqrt(variance + 1e-5 if self.safe else variance)
        answer: Tensor = self.out(torch.cat([h.mean(1), spread], 1))
        return answer


def spread_of_equals(cured: bool, watch: Watch) -> Trained:
    """A sensor that hangs sends one number all day, and the root of their variance has an endless
    slope."""
    draw = torch.Generator().manual_seed(16)
    x = torch.randn(1200, 12, 1, generator=draw) * (
        0.2 + 2 * torch.rand(1200, 1, 1, generator=draw)
    )
    y = x.std(1)
    hangs = torch.rand(1200, generator=draw) < 0.02
    x[hangs], y[hangs] = x[hangs, :1], 0.0
    y = (y - y.mean()) / y.std()
    model = Spread(cured)
    optimizer = optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:900], y[:900], 15)
    return judged(watching, model, ((x[:900], y[:900]), (x[900:], y[900:])), F.mse_loss)


PAIRS: list[Pair] = [
    Pair(
        "shells: the gradients of a copy are cleared",
        "shells: the gradients of the network are cleared",
        ("gradient_not_cleared",),
        copy_cleared,
        0.7,
        0.85,
    ),
    Pair(
        "arms: units that compare with zero",
        "arms: units that compare softly",
        ("gradient_discarded", "parameters_not_updated"),
        hard_gates,
        0.8,
        0.9,
    ),
    Pair(
        "memos: a memory that keeps a third",
        "memos: a memory that keeps all",
        ("vanishing_gradient", "signal_vanishes"),
        forgets_the_first,
        0.35,
        0.45,
    ),
    Pair(
        "sensors: the root of the variance",
        "sensors: the root of the variance and a little",
        ("not_finite",),
        spread_of_equals,
        0.0,
        0.8,
    ),
]
