"""Networks that are deaf, blind to order, bound to their batch, or without a bend."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, right
from benchmarks.doctor.cases.step_faults.blind import samples
from benchmarks.doctor.cases.step_faults.plan import Plan, adam, planned
from benchmarks.doctor.data import digits


def straight_filters(cured: bool) -> Plan:
    """Two convolutions, a mean and a matrix, with nothing between."""
    bend = nn.ReLU if cured else nn.Identity
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        bend(),
        nn.Conv2d(12, 24, 3),
        bend(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(24, 4),
    )
    return Plan(samples.plates(), model, F.cross_entropy, adam(1e-2), 14, loader=True)


def quiet_filters(cured: bool) -> Plan:
    """Biases that no answer of a filter reaches."""
    model = samples.glance(10, 16)
    if not cured:
        nn.init.constant_(model.get_parameter("2.bias"), -8.0)
    return Plan(samples.plates(), model, F.cross_entropy, adam(5e-3), 6)


class Steep(nn.Module):
    """Tanh of what a layer says, times a number."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 12), nn.Linear(12, 12)
        self.last, self.slope = nn.Linear(12, 1), slope

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.slope * self.first(x))
        h = torch.tanh(self.slope * self.second(h))
        answer: Tensor = self.last(h)
        return answer


def steep_units(cured: bool) -> Plan:
    """A slope of 100 before each tanh, from a paper on units that say yes or no."""
    return Plan(
        samples.hull(),
        Steep(1.0 if cured else 100.0),
        nn.SmoothL1Loss(),
        adam(5e-3),
        25,
        score=explained,
    )


class Thinned(nn.Module):
    """A part of the hidden values is put to 0 by a mask of one's own."""

    def __init__(self, always: bool) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(64, 128), nn.Linear(128, 128), nn.Linear(128, 10)
        self.always = always

    def thin(self, h: Tensor) -> Tensor:
        if not (self.training or self.always):
            return h
        keep = torch.rand_like(h) > 0.75
        return h * keep / 0.25

    def forward(self, x: Tensor) -> Tensor:
        h = self.thin(torch.relu(self.fc1(x)))
        h = self.thin(torch.relu(self.fc2(h)))
        scores: Tensor = self.fc3(h)
        return scores


def own_dropout(cured: bool, watch: Watch) -> Trained:
    (x, y), (xv, yv) = digits()
    model = Thinned(always=not cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for _ in range(16):
            model.train()
            for chosen in batches(len(x), 50, 1):
                descend(
                    watching, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen]
                )
            model.eval()
            with torch.no_grad():
                answers = model(xv)
            watching.valid(loss=float(F.cross_entropy(answers, yv)), score=right(answers, yv))
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watching, right(answers, yv), known)


def offers_of_other_auctions(cured: bool, watch: Watch) -> Trained:
    """An encoder layer takes [T, B, F] unless it is told otherwise, and so compares auctions."""
    (x, y), (xv, yv) = samples.auctions()
    model = samples.Bidders(batch_first=cured)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 40, 15):
            descend(watching, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = explained(model.eval()(xv), yv)
    return Trained(watching, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": F.mse_loss})


class PlacesTwice(samples.Clerk):
    """Embeds the numbers of the places where it should embed the words."""

    def embedded(self, x: Tensor) -> Tensor:
        positions = torch.arange(x.shape[1]).expand_as(x)
        places: Tensor = self.words(positions) + self.places(positions)
        return places


def places_for_words(cured: bool, watch: Watch) -> Trained:
    (x, y), (xv, yv) = samples.orders()
    model = samples.Clerk() if cured else PlacesTwice()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    criterion = nn.CrossEntropyLoss()
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 40, 8):
            optimizer.zero_grad()
            loss = criterion(model(x[chosen]), y[chosen])
            loss.backward()
            optimizer.step()
            watching.step(loss, target=y[chosen])
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": criterion}
    return Trained(watching, accuracy(model, xv, yv), known)


class Notes(nn.Module):
    """Filters over notes, and the mean of what they say."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.filters = nn.Sequential(
            nn.Conv1d(1, 16, size), nn.ReLU(), nn.Conv1d(16, 16, size), nn.ReLU()
        )
        self.out = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.out(self.filters(x.transpose(1, 2)).mean(2))
        return scores


def note_by_note(cured: bool) -> Plan:
    """Filters of one note each: `kernel_size=1`."""
    return Plan(
        samples.melodies(), Notes(3 if cured else 1), F.cross_entropy, adam(5e-3), 12, score=right
    )


PAIRS: list[Pair] = [
    planned(
        "plates: filters with nothing between",
        "plates: filters with ReLU between",
        ("no_nonlinearity",),
        straight_filters,
        0.8,
        0.88,
    ),
    planned(
        "plates: filters with a bias of -8",
        "plates: filters with a bias as drawn",
        ("dead_units",),
        quiet_filters,
        0.5,
        0.9,
    ),
    planned(
        "hull: tanh of a hundred times",
        "hull: tanh of once",
        ("saturated_units",),
        steep_units,
        0.8,
        0.9,
    ),
    Pair(
        "pixels: a mask of one's own in every mode",
        "pixels: a mask of one's own in training",
        ("mode_mismatch",),
        own_dropout,
        0.83,
        0.87,
    ),
    Pair(
        "auctions: offers of other auctions compared",
        "auctions: offers of one auction compared",
        ("samples_mixed",),
        offers_of_other_auctions,
        0.75,
        0.9,
    ),
    Pair(
        "orders: places looked up for words",
        "orders: words looked up",
        ("input_not_used",),
        places_for_words,
        0.62,
        0.9,
    ),
    planned(
        "melodies: filters of one note",
        "melodies: filters of three notes",
        ("order_blind",),
        note_by_note,
        0.75,
        0.88,
    ),
]
