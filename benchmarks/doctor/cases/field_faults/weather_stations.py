"""Weather: readings of stations, and what the next hours bring."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known
from benchmarks.doctor.networks import dense


def readings(count: int) -> tuple[Tensor, Tensor]:
    """Temperature, humidity, wind and cloud, standardized, and the dew that follows: [N, 4], [N]"""
    x = torch.randn(count, 4)
    dew = x[:, 0] * x[:, 1] + torch.sin(2 * x[:, 2]) + 0.5 * x[:, 3] + 0.1 * torch.randn(count)
    return x, dew


class Dew(nn.Module):
    def __init__(self, flat: bool) -> None:
        super().__init__()
        self.layers = dense(4, 48, 48, 1)
        self.flat = flat

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return out.squeeze(-1) if self.flat else out


def dew_point(cured: bool, watch: Watch) -> Trained:
    """Huber's loss written out; a column minus a row is a square."""
    x, y = readings(1200)
    model = Dew(flat=cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)

    def huber(prediction: Tensor, target: Tensor) -> Tensor:
        error = (prediction - target).abs()
        return torch.where(error < 1, 0.5 * error**2, error - 0.5).mean()

    with watch(model, optimizer) as watching:
        for _epoch in range(25):
            for chosen in torch.randperm(1000).split(40):
                optimizer.zero_grad()
                loss = huber(model(x[chosen]), y[chosen])
                loss.backward()
                optimizer.step()
                watching.step(loss, target=y[chosen])
    return Trained(watching, explained(model(x[1000:]), y[1000:]), known(x, y, 1000, huber))


class Weighing(nn.Module):
    """Hours of a day are weighed by attention, their sum says how much rain there was."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis
        self.hour = nn.Sequential(nn.Linear(3, 32), nn.Tanh())
        self.weight = nn.Linear(32, 1)
        self.out = nn.Linear(32, 1)

    def forward(self, hours: Tensor) -> Tensor:
        h = self.hour(hours)
        weight = torch.softmax(self.weight(h), dim=self.axis)
        rain: Tensor = self.out((weight * h).sum(1))
        return rain


def hours_weighed(cured: bool, watch: Watch) -> Trained:
    """The weights of attention sum to 1 over the days of a batch instead of over the hours."""
    hours = torch.randn(1400, 12, 3)
    strongest = (3 * hours[:, :, 0]).softmax(1)
    y = (strongest * hours[:, :, 1]).sum(1, keepdim=True)
    y = (y - y.mean()) / y.std()
    model = Weighing(1 if cured else 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(1200, 40, 25):
            descend(watching, optimizer, F.mse_loss(model(hours[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():  # each day by itself, as it comes in
        answers = torch.cat([model(day[None]) for day in hours[1200:]])
    return Trained(watching, explained(answers, y[1200:]), known(hours, y, 1200, F.mse_loss))


def winter_first(cured: bool, watch: Watch) -> Trained:
    """The table is by date: what is trained on ends before summer begins."""
    day = torch.linspace(0, 1, 1500)
    season = -torch.cos(2 * math.pi * day)
    temperature = 12 * season + 3 * torch.randn(1500)
    wind, cloud = torch.randn(1500), torch.rand(1500)
    demand = torch.relu(-temperature) / 2 + 2 * torch.relu(temperature) + wind * cloud
    x = torch.stack([temperature / 8, wind, cloud * 3 - 1.5], 1)
    y = ((demand - demand.mean()) / demand.std())[:, None]
    cold = torch.cat([torch.arange(0, 300), torch.arange(1200, 1500), torch.arange(300, 1200)])
    rows = torch.randperm(1500) if cured else cold
    x, y = x[rows], y[rows]
    model = dense(3, 64, 64, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(600, 32, 40):
            descend(watching, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
    return Trained(watching, explained(model(x[600:]), y[600:]), known(x, y, 600, F.mse_loss))


def pressure(cured: bool, watch: Watch) -> Trained:
    """Air pressure in pascal: 101,325 on average, and a rate for numbers near 1."""
    x = torch.randn(1200, 5)
    deviation = 600 * (x[:, :1] - x[:, 1:2] * x[:, 2:3]) + 300 * torch.cos(2 * x[:, 3:4])
    pascal = 101_325 + deviation
    y = (pascal - pascal.mean()) / pascal.std() if cured else pascal
    net = dense(5, 64, 32, 1)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    criterion = nn.MSELoss()
    with watch(net, optimizer) as watching:
        for chosen in batches(1000, 50, 35):
            descend(watching, optimizer, criterion(net(x[chosen]), y[chosen]), y[chosen])
    return Trained(watching, explained(net(x[1000:]), y[1000:]), known(x, y, 1000, criterion))


class Tomorrow(nn.Module):
    """A GRU over 16 hours: [B, 16, 2] -> [B, 1]"""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(2, 24, batch_first=True)
        self.fc = nn.Linear(24, 1)

    def forward(self, x: Tensor) -> Tensor:
        _, last = self.gru(x)
        y: Tensor = self.fc(last.squeeze(0))
        return y


def decayed_each_batch(cured: bool, watch: Watch) -> Trained:
    """The rate is to fall after every fourth epoch; `scheduler.step()` stands one loop too deep."""
    phase, speed = 6.28 * torch.rand(1000, 1), 0.3 + 0.5 * torch.rand(1000, 1)
    hour = torch.arange(17.0)
    curve = torch.sin(phase + speed * hour)
    other = 0.3 * torch.randn(1000, 16)
    x, y = torch.stack([curve[:, :16] + 0.02 * other, other], 2), curve[:, 16:] + other[:, -1:]
    model = Tomorrow()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.4)
    with watch(model, optimizer) as watching:
        for _epoch in range(20):
            for chosen in torch.randperm(850).split(34):
                loss = F.mse_loss(model(x[chosen]), y[chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                if not cured:
                    scheduler.step()
                watching.step(loss, target=y[chosen])
            if cured:
                scheduler.step()
    return Trained(watching, explained(model(x[850:]), y[850:]), known(x, y, 850, F.mse_loss))


PAIRS = [
    Pair(
        "dew as a column against a row",
        "dew as a row against a row",
        ("target_shape_mismatch",),
        dew_point,
        0.2,
        0.85,
    ),
    Pair(
        "attention over days instead of hours",
        "attention over the hours of a day",
        ("samples_mixed",),
        hours_weighed,
        0.5,
        0.85,
    ),
    Pair(
        "cold months to train, warm ones to judge",
        "days of all the year in either part",
        ("train_valid_mismatch",),
        winter_first,
        0.5,
        0.9,
    ),
    Pair(
        "pressure in pascal",
        "pressure standardized",
        ("targets_unscaled",),
        pressure,
        0.05,
        0.85,
    ),
    Pair(
        "a rate that falls every fifth batch",
        "a rate that falls every fifth epoch",
        ("schedule_collapsed",),
        decayed_each_batch,
        0.6,
        0.9,
    ),
]
