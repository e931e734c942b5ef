"""Losses that do not fit what is said, what is asked, or each other."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, right
from benchmarks.doctor.cases.step_faults.blind import samples
from benchmarks.doctor.cases.step_faults.plan import Plan, adam, planned, sgd
from benchmarks.doctor.data import digits
from benchmarks.doctor.networks import dense


def absolute_errors_of_classes(cured: bool, watch: Watch) -> Trained:
    """The mean absolute error of one-hot rows: saying 0 for every class is the best there is."""
    (x, y), (xv, yv) = digits()
    model = dense(64, 48, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        if cured:
            return F.cross_entropy(output, target)
        return F.l1_loss(output, F.one_hot(target, 10).float())

    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 50, 8):
            descend(watching, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = right(model(xv), yv)
    return Trained(watching, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": loss_fn})


class Clamped(nn.Module):
    """A network whose answers are kept between 0 and 1."""

    def __init__(self, clamp: bool) -> None:
        super().__init__()
        self.body, self.clamp = dense(4, 48, 48, 1), clamp

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x)
        return torch.clamp(out, 0, 1) if self.clamp else out


def answers_clamped(cured: bool) -> Plan:
    """Answers clamped to what a share would be, for a drag that is standardised."""
    return Plan(samples.hull(), Clamped(not cured), F.mse_loss, adam(3e-3), 20, 32, explained)


def way_in_a_row(cured: bool, watch: Watch) -> Trained:
    """How far a stroll led is a row of numbers, what the memory says of it a column."""
    (x, y), (xv, yv) = samples.strolls()
    y = y if cured else y[:, 0]
    model = samples.Ear(2, 1, 24)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 50, 12):
            optimizer.zero_grad()
            error = model(x[chosen]) - y[chosen]
            loss = torch.mean(error**2)
            loss.backward()
            optimizer.step()
            watching.step(loss, target=y[chosen])
    with torch.no_grad():
        score = explained(model(xv), yv)
    known = {"train": (x, y), "valid": (xv, yv if cured else yv[:, 0]), "loss_fn": F.mse_loss}
    return Trained(watching, score, known)


def counts_by_tanh(cured: bool) -> Plan:
    """How many dark pixels a picture has, by a network that ends in tanh."""
    (x, _), (xv, _) = samples.plates()

    def count(pictures: Tensor) -> Tensor:
        return (pictures > 0.6).flatten(1).sum(1, keepdim=True).float()

    data = (x, count(x)), (xv, count(xv))
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(12 * 81, 1),
        nn.Identity() if cured else nn.Tanh(),
    )
    return Plan(data, model, F.smooth_l1_loss, adam(3e-3), 15, score=explained)


def likeness_brought_down(cured: bool, watch: Watch) -> Trained:
    """Directions [N, 3], told by their cosine; 1 less it was meant. Scored by the mean cosine."""
    (x, _), (xv, _) = samples.hull()
    mix = torch.tensor([[1.0, 0.0, 0.5], [0.0, 1.0, -0.5], [0.5, 0.5, 0.0], [-1.0, 0.0, 1.0]])

    def direction(rows: Tensor) -> Tensor:
        return F.normalize(torch.tanh(rows @ mix) + 0.1, dim=1)

    y, yv = direction(x), direction(xv)
    model = dense(4, 32, 3, activation=nn.ELU)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        likeness = F.cosine_similarity(output, target).mean()
        return 1 - likeness if cured else likeness

    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 45, 10):
            descend(watching, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = float(F.cosine_similarity(model(xv), yv).mean())
    return Trained(watching, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": loss_fn})


def errors_added_up(cured: bool) -> Plan:
    """A sum of squares over 75 boats, at the rate of a mean."""
    loss_fn = nn.MSELoss(reduction="mean" if cured else "sum")
    model = dense(4, 48, 48, 1)
    return Plan(
        samples.hull(), model, loss_fn, sgd(0.05, momentum=0.9), 25, 75, explained, loader=True
    )


class Finder(nn.Module):
    """Which letter a picture shows, and in which row and column it begins."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 10, 3, padding=1), nn.ReLU(), nn.Flatten())
        self.shared = nn.Sequential(nn.Linear(810, 48), nn.ReLU())
        self.kind, self.place = nn.Linear(48, 4), nn.Linear(48, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.shared(self.body(x))
        return self.kind(h), self.place(h)


def place_in_millimetres(cured: bool, watch: Watch) -> Trained:
    """A place in tenths of a millimetre beside a kind. Scored by the kind."""
    (x, y), (xv, yv) = samples.plates()
    rows, columns = (x[:, 0].clamp(0).sum(axis) @ torch.arange(9.0) / 40 for axis in (2, 1))
    place = torch.stack([rows, columns], 1)
    place = (place - place.mean(0)) / place.std(0) if cured else 1000 * place
    model = Finder()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 30, 10):
            kind, where = model(x[chosen])
            kinds, places = F.cross_entropy(kind, y[chosen]), F.mse_loss(where, place[chosen])
            optimizer.zero_grad()
            loss = kinds + places
            loss.backward()
            optimizer.step()
            watching.step(loss, parts={"kind": kinds, "place": places})
    with torch.no_grad():
        score = right(model(xv)[0], yv)
    return Trained(watching, score)


PAIRS: list[Pair] = [
    Pair(
        "pixels: absolute errors of one-hot rows",
        "pixels: cross-entropy of classes",
        ("loss_unsuited",),
        absolute_errors_of_classes,
        0.8,
        0.85,
    ),
    planned(
        "hull: answers clamped to 0 and 1",
        "hull: answers as they are",
        ("output_loss_mismatch", "target_out_of_range"),
        answers_clamped,
        0.6,
        0.85,
    ),
    Pair(
        "strolls: a row of ways beside a column",
        "strolls: a column of ways beside a column",
        ("target_shape_mismatch",),
        way_in_a_row,
        0.2,
        0.8,
    ),
    planned(
        "plates: dark pixels counted by a tanh",
        "plates: dark pixels counted without an end",
        ("target_out_of_range", "output_loss_mismatch"),
        counts_by_tanh,
        0.0,
        0.7,
    ),
    Pair(
        "hull: the cosine of directions brought down",
        "hull: the cosine of directions brought up",
        ("loss_sign",),
        likeness_brought_down,
        0.0,
        0.9,
    ),
    planned(
        "hull: squares of 75 boats added up",
        "hull: squares of 75 boats averaged",
        ("loss_scale", "learning_rate_too_high"),
        errors_added_up,
        0.3,
        0.85,
    ),
    Pair(
        "plates: a place in thousands beside a kind",
        "plates: a place of spread 1 beside a kind",
        ("loss_terms_unbalanced", "targets_unscaled"),
        place_in_millimetres,
        0.6,
        0.9,
    ),
]
