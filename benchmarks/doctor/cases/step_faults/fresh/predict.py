"""Networks that leave out a bend, the order of time, half of the input, or all of it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, fit
from benchmarks.doctor.cases.step_faults.fresh import samples
from benchmarks.doctor.cases.step_faults.fresh.loops import judged


class Shells(nn.Module):
    """Three layers, with the answer of `relu` used or thrown away."""

    def __init__(self, used: bool) -> None:
        super().__init__()
        self.used = used
        self.first, self.second = nn.Linear(4, 48), nn.Linear(48, 48)
        self.last = nn.Linear(48, 3)

    def forward(self, x: Tensor) -> Tensor:
        for layer in (self.first, self.second):
            x = layer(x)
            bent = F.relu(x)
            if self.used:
                x = bent
        logits: Tensor = self.last(x)
        return logits


def bend_thrown_away(cured: bool, watch: Watch) -> Trained:
    """`F.relu(x)` stands in a line of its own, as if it changed x."""
    data = samples.shells()
    model = Shells(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, *data[0], 15)
    return judged(watching, model, data, F.cross_entropy)


class Cell(nn.Module):
    """A GRU cell over a series, and a layer on the mean of its states."""

    def __init__(self, remembers: bool) -> None:
        super().__init__()
        self.remembers = remembers
        self.cell, self.out = nn.GRUCell(1, 24), nn.Linear(24, 1)

    def forward(self, x: Tensor) -> Tensor:
        state: Tensor | None = None
        total = torch.zeros(len(x), 24)
        for t in range(x.shape[1]):
            new = self.cell(x[:, t], state)
            total = total + new
            if self.remembers:
                state = new
        answer: Tensor = self.out(total / x.shape[1])
        return answer


def state_dropped(cured: bool, watch: Watch) -> Trained:
    """The state is not passed on, so each hour is seen alone."""
    data = samples.bumps()
    (x, y), _ = data
    model = Cell(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 45, 12):
            optimizer.zero_grad()
            loss = F.binary_cross_entropy_with_logits(model(x[chosen]), y[chosen])
            loss.backward()
            optimizer.step()
            watching.step(loss, target=y[chosen])
    return judged(watching, model, data, F.binary_cross_entropy_with_logits)


class Arm(nn.Module):
    """A branch for the angles and another for the lengths, and a network on both."""

    def __init__(self, both: bool) -> None:
        super().__init__()
        self.both = both
        self.angles = nn.Sequential(nn.Linear(2, 32), nn.Tanh())
        self.lengths = nn.Sequential(nn.Linear(2, 32), nn.Tanh())
        self.joined = nn.Sequential(nn.Linear(64, 48), nn.Tanh(), nn.Linear(48, 1))

    def forward(self, x: Tensor) -> Tensor:
        angles, lengths = self.angles(x[:, :2]), self.lengths(x[:, 2:])
        height: Tensor = self.joined(torch.cat([angles, lengths if self.both else angles], 1))
        return height


def one_branch_twice(cured: bool, watch: Watch) -> Trained:
    """The branch of the angles is joined with itself."""
    data = samples.arms()
    (x, y), _ = data
    model = Arm(cured)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 40, 15):
            descend(watching, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
    return judged(watching, model, data, F.mse_loss)


def norm_of_one_column(cured: bool, watch: Watch) -> Trained:
    """Layer norm of a single column is 0, whatever it was."""
    data = samples.tone()
    (x, y), _ = data
    first: nn.Module = nn.BatchNorm1d(1) if cured else nn.LayerNorm(1)
    model = nn.Sequential(
        first, nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for _epoch in range(30):
            model.train()
            for time, sound in zip(x.split(50), y.split(50), strict=True):
                optimizer.zero_grad()
                loss = F.mse_loss(model(time), sound)
                loss.backward()
                optimizer.step()
                watching.step(loss, target=sound)
    return judged(watching, model, data, F.mse_loss)


PAIRS: list[Pair] = [
    Pair(
        "shells: what relu returns is thrown away",
        "shells: what relu returns is used",
        ("no_nonlinearity",),
        bend_thrown_away,
        0.5,
        0.85,
    ),
    Pair(
        "bumps: a cell whose state is not passed on",
        "bumps: a cell whose state is passed on",
        ("order_blind",),
        state_dropped,
        0.62,
        0.85,
    ),
    Pair(
        "arms: the branch of angles joined with itself",
        "arms: the branch of angles joined with the lengths",
        ("input_not_used",),
        one_branch_twice,
        0.93,
        0.97,
    ),
    Pair(
        "tone: layer norm of one column",
        "tone: batch norm of one column",
        ("signal_vanishes", "input_not_used"),
        norm_of_one_column,
        0.1,
        0.85,
    ),
]
