"""Gradients that fade or swell on their way, are lost, left over, cut, or no numbers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, right
from benchmarks.doctor.cases.step_faults.blind import samples
from benchmarks.doctor.cases.step_faults.plan import Plan, adam, planned, sgd
from benchmarks.doctor.networks import dense


def hard_sigmoids(cured: bool) -> Plan:
    """Six convolutions with hard sigmoids, each of which lets a sixth of the slope through."""
    activation = nn.ReLU if cured else nn.Hardsigmoid
    model = samples.glance(*[10] * 6, activation=activation)
    return Plan(samples.plates(), model, F.cross_entropy, adam(3e-3), 8)


class Doubled(nn.Module):
    """x + scale · f(x), twelve times."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.into, self.out, self.scale = nn.Linear(4, 32), nn.Linear(32, 1), scale
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32)) for _ in range(12)
        )
        for block in self.blocks:
            nn.init.kaiming_normal_(block.get_parameter("0.weight"))
            nn.init.kaiming_normal_(block.get_parameter("2.weight"))

    def forward(self, x: Tensor) -> Tensor:
        h = self.into(x)
        for block in self.blocks:
            h = h + self.scale * block(h)
        answer: Tensor = self.out(h)
        return answer


def residuals_at_full_size(cured: bool) -> Plan:
    """Twelve residual blocks that each add more than they are given, and no norm."""
    model = Doubled(0.1 if cured else 1.0)
    return Plan(samples.hull(), model, F.mse_loss, sgd(0.02), 16, 30, explained)


class Contrast(nn.Module):
    """Filters, and for each the mean and the spread of what it says of a picture."""

    def __init__(self, floor: float) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 12, 3, bias=False), nn.Conv2d(12, 16, 3, bias=False)
        self.out, self.floor = nn.Linear(32, 4), floor

    def forward(self, x: Tensor) -> Tensor:
        h = F.gelu(self.conv2(F.gelu(self.conv1(x)))).flatten(2)
        spread = torch.sqrt(h.var(2) + self.floor)
        scores: Tensor = self.out(torch.cat([h.mean(2), spread], 1))
        return scores


def spread_of_nothing(cured: bool, watch: Watch) -> Trained:
    """Some pictures are black: their filters say 0 everywhere, and a root has no slope at 0."""
    (x, y), (xv, yv) = samples.plates()
    x = torch.cat([x, torch.zeros(8, 1, 9, 9)])
    y = torch.cat([y, torch.zeros(8, dtype=torch.long)])
    model = Contrast(1e-5 if cured else 0.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    criterion = nn.CrossEntropyLoss()
    with watch(model, optimizer) as watching:
        for pictures, kinds in [*DataLoader(TensorDataset(x, y), 32, shuffle=True)] * 12:
            optimizer.zero_grad()
            loss = criterion(model(pictures), kinds)
            loss.backward()
            optimizer.step()
            watching.step(loss, target=kinds)
    with torch.no_grad():
        score = right(model(xv), yv)
    return Trained(watching, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": criterion})


def left_over(cured: bool, watch: Watch) -> Trained:
    """`zero_grad` stands in the branch that prints, every fifty steps."""
    (x, y), (xv, yv) = samples.shells()
    model = dense(4, 32, 32, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    step = 0
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 30, 15):
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            loss.backward()
            optimizer.step()
            if cured or step % 50 == 0:
                optimizer.zero_grad()
            watching.step(loss, target=y[chosen])
            step += 1
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watching, accuracy(model, xv, yv), known)


def zeroed_when_measured(cured: bool, watch: Watch) -> Trained:
    """A helper that notes the size of the gradients leaves them at zero."""
    (x, y), (xv, yv) = samples.hull()
    model = dense(4, 48, 48, 1, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    sizes: list[float] = []

    def note() -> None:
        total = 0.0
        for parameter in model.parameters():
            if parameter.grad is not None:
                total += float(parameter.grad.norm())
                if not cured:
                    parameter.grad.zero_()
        sizes.append(total)

    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 30, 15):
            optimizer.zero_grad()
            loss = F.mse_loss(model(x[chosen]), y[chosen])
            loss.backward()
            note()
            optimizer.step()
            watching.step(loss, target=y[chosen])
    with torch.no_grad():
        score = explained(model(xv), yv)
    return Trained(watching, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": F.mse_loss})


def cut_to_nothing(cured: bool, watch: Watch) -> Trained:
    """Each slope of an LSTM is cut to a hundred-thousandth, where five was meant."""
    (x, y), (xv, yv) = samples.strolls()
    model = samples.Ear(2, 1, 24, nn.LSTM)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 35, 20):
            optimizer.zero_grad()
            loss = F.mse_loss(model(x[chosen]), y[chosen])
            loss.backward()
            nn.utils.clip_grad_value_(model.parameters(), 5.0 if cured else 1e-5)
            optimizer.step()
            watching.step(loss, target=y[chosen])
    with torch.no_grad():
        score = explained(model(xv), yv)
    return Trained(watching, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": F.mse_loss})


class Cut(samples.Ear):
    """Reads the states' `.data`, from the days of `Variable`."""

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.memory(x)
        answer: Tensor = self.answer(states.data[:, -1])
        return answer


def data_of_the_states(cured: bool, watch: Watch) -> Trained:
    (x, y), (xv, yv) = samples.strolls()
    model = (samples.Ear if cured else Cut)(2, 1, 16)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 50, 14):
            descend(watching, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = explained(model(xv), yv)
    return Trained(watching, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": F.mse_loss})


PAIRS: list[Pair] = [
    planned(
        "plates: six hard sigmoids",
        "plates: six ReLUs",
        ("vanishing_gradient", "signal_vanishes"),
        hard_sigmoids,
        0.5,
        0.85,
    ),
    planned(
        "hull: twelve residual blocks at full size",
        "hull: twelve residual blocks at a tenth",
        ("exploding_gradient", "signal_explodes", "output_overconfident"),
        residuals_at_full_size,
        0.2,
        0.75,
    ),
    Pair(
        "plates: the spread of black pictures",
        "plates: the spread of black pictures and a little more",
        ("not_finite",),
        spread_of_nothing,
        0.0,
        0.8,
    ),
    Pair(
        "quantiles: cleared where it prints",
        "quantiles: cleared in every step",
        ("gradient_not_cleared",),
        left_over,
        0.65,
        0.8,
    ),
    Pair(
        "hull: gradients zeroed where they are measured",
        "hull: gradients measured and left",
        ("gradient_discarded",),
        zeroed_when_measured,
        0.2,
        0.85,
    ),
    Pair(
        "strolls: slopes cut to a hundred-thousandth",
        "strolls: slopes cut to five",
        ("gradient_clipped_away",),
        cut_to_nothing,
        0.3,
        0.8,
    ),
    Pair(
        "strolls: the data of the states",
        "strolls: the states",
        ("parameters_not_updated",),
        data_of_the_states,
        0.6,
        0.8,
    ),
]
