"""Counts of vehicles on roads that join: graphs of detectors, and hours to come."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right


class Roads(nn.Module):
    """Each round a node takes the mean of its neighbours and itself."""

    def __init__(self, neighbours: Tensor, rounds: int) -> None:
        super().__init__()
        self.register_buffer("mix", neighbours / neighbours.sum(1, keepdim=True))
        self.mix: Tensor
        self.layers = nn.ModuleList(nn.Linear(6 if i == 0 else 24, 24) for i in range(rounds))
        self.out = nn.Linear(24, 4)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = F.relu(layer(self.mix @ x))
        return self.out(x)


def many_rounds(cured: bool, watch: Watch) -> Trained:
    """Kinds of roads on a graph of 300 detectors, after 2 rounds or after 16."""
    count = 300
    y = torch.randint(0, 4, (count,))
    same = y[:, None] == y[None, :]
    edges = (torch.rand(count, count) < torch.where(same, 0.06, 0.008)).float()
    edges = ((edges + edges.T + torch.eye(count)) > 0).float()
    x = torch.randn(count, 6)
    x[:, :4] += F.one_hot(y, 4)
    model = Roads(edges, 2 if cured else 16)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for _ in range(150):
            loss = F.cross_entropy(model(x)[:200], y[:200])
            descend(watching, optimizer, loss, y[:200])
    with torch.no_grad():
        score = right(model(x)[200:], y[200:])
    return Trained(watching, score)


def days(count: int, hours: int = 24) -> tuple[Tensor, Tensor]:
    """Hours [N, T, 1] about zero of a day that is more or less busy, and the next hour [N, 1]."""
    phase, height = 6.28 * torch.rand(count, 1), 0.5 + torch.rand(count, 1)
    clock = torch.arange(hours + 1) / 4
    wave = height * torch.sin(clock + phase) + 0.1 * torch.randn(count, hours + 1)
    return wave[:, :-1, None], wave[:, -1:]


class Ahead(nn.Module):
    """A GRU over the hours and a line at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.line = nn.GRU(1, 24, batch_first=True), nn.Linear(24, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.line(self.gru(x)[1][0])


def vehicles_a_day(cured: bool, watch: Watch) -> Trained:
    """Inputs are scaled; the goal is the count itself, about 40,000, or is scaled too."""
    x, after = days(900)
    y = after if cured else 40_000 + 9_000 * after
    model = Ahead()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:700], y[:700], 8)
    with torch.no_grad():
        score = explained(model(x[700:]), y[700:])
    return Trained(watching, score, known(x, y, 700, F.mse_loss))


def plateau_upside_down(cured: bool, watch: Watch) -> Trained:
    """`ReduceLROnPlateau` waits for the loss to grow, as one would for an accuracy."""
    x, y = days(900)
    model = Ahead()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="min" if cured else "max", factor=0.1, patience=0
    )
    with watch(model, optimizer) as watching:
        for _ in range(12):
            total = 0.0
            for chosen in torch.randperm(700).split(70):
                loss = F.mse_loss(model(x[chosen]), y[chosen])
                descend(watching, optimizer, loss, y[chosen])
                total += float(loss)
            schedule.step(total)
    with torch.no_grad():
        score = explained(model(x[700:]), y[700:])
    return Trained(watching, score, known(x, y, 700, F.mse_loss))


def in_order_of_roads(cured: bool, watch: Watch) -> Trained:
    """The file has road after road; five kinds of vehicles are told by their signal."""
    y = torch.arange(1500) // 300
    x = torch.randn(1500, 12) + 0.9 * torch.randn(5, 12)[y]
    judged = torch.randperm(1500)[:300]
    rest = torch.ones(1500, dtype=torch.bool)
    rest[judged] = False
    train_x, train_y = x[rest], y[rest]
    model = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 5))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(train_x, train_y), batch_size=24, shuffle=cured
    )
    with watch(model, optimizer) as watching:
        for _ in range(6):
            for inputs, target in loader:
                loss = F.cross_entropy(model(inputs), target)
                descend(watching, optimizer, loss, target)
    with torch.no_grad():
        score = right(model(x[judged]), y[judged])
    data = {"train": (train_x, train_y), "valid": (x[judged], y[judged])}
    return Trained(watching, score, data)


class Jam(nn.Module):
    """Filters over the hours, and more of them; `F.relu` was forgotten, or was not."""

    def __init__(self, cured: bool) -> None:
        super().__init__()
        self.cured = cured
        self.first, self.second = nn.Conv1d(1, 16, 5), nn.Conv1d(16, 16, 5)
        self.line = nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Tensor:
        bend = F.relu if self.cured else nn.Identity()
        h = bend(self.first(x.transpose(1, 2)))
        return self.line(bend(self.second(h)).mean(2))


def linear_filters(cured: bool, watch: Watch) -> Trained:
    """How much speeds change from hour to hour, up or down."""
    count = 1200
    strength = torch.rand(count, 1)
    x = (strength * torch.randn(count, 24))[:, :, None]
    y = (x[:, 1:] - x[:, :-1]).abs().mean(1)
    y = (y - y.mean()) / y.std()
    model = Jam(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(900, 30, 10):
            descend(watching, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = explained(model(x[900:]), y[900:])
    return Trained(watching, score, known(x, y, 900, F.mse_loss))


PAIRS = [
    Pair(
        "sixteen rounds between neighbouring detectors",
        "two rounds between neighbouring detectors",
        ("representation_collapsed", "signal_vanishes", "vanishing_gradient"),
        many_rounds,
        0.6,
        0.85,
    ),
    Pair(
        "tens of thousands of vehicles as the goal",
        "vehicles as the goal, scaled",
        ("targets_unscaled", "learning_rate_too_low"),
        vehicles_a_day,
        0.2,
        0.8,
    ),
    Pair(
        "a plateau that waits for the loss to grow",
        "a plateau that waits for the loss to fall",
        ("schedule_collapsed", "learning_rate_too_low"),
        plateau_upside_down,
        0.75,
        0.85,
    ),
    Pair(
        "vehicles in the order of the file",
        "vehicles in an order of chance",
        ("not_shuffled",),
        in_order_of_roads,
        0.7,
        0.85,
    ),
    Pair(
        "filters over hours with nothing between",
        "filters over hours with a bend between",
        ("no_nonlinearity", "underfitting", "too_small"),
        linear_filters,
        0.3,
        0.8,
    ),
]
