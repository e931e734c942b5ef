"""Levels of rivers, hour by hour: what comes next, and what a rain does."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known


def rain_and_level(count: int, hours: int) -> tuple[Tensor, Tensor]:
    """Rain, none in most hours, and the level of a river that rises by it and falls slowly.
    [count, hours] both
    """
    rain = torch.rand(count, hours).log().neg() * (torch.rand(count, hours) < 0.3)
    level = torch.zeros(count, hours)
    now = torch.rand(count)
    for t in range(hours):
        now = 0.8 * now + 0.4 * rain[:, t]
        level[:, t] = now
    return rain, level


class Forecast(nn.Module):
    """A GRU reads the past; another begins with its state and is fed the rain to come.

    [B, hours, 2] whose last eight hours have a level of 0 -> [B, 8]
    """

    def __init__(self, cut: bool) -> None:
        super().__init__()
        self.cut = cut
        self.past, self.future = nn.GRU(2, 16, batch_first=True), nn.GRU(1, 16, batch_first=True)
        self.out = nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Tensor:
        _, state = self.past(x[:, :-8])
        if self.cut:
            state = state.detach()
        states, _ = self.future(x[:, -8:, :1], state)
        levels: Tensor = self.out(states).squeeze(2)
        return levels


def past_cut_off(cured: bool, watch: Watch) -> Trained:
    """The state of the past is detached, a line from a truncated backpropagation."""
    hours = torch.arange(20)
    slope = torch.randn(900, 1)
    rain, level = rain_and_level(900, 20)
    level = level + slope * hours.sub(12).clamp(min=0) / 8 + slope * (hours == 3)
    y = level[:, -8:]
    seen = level * (hours < 12)
    x = torch.stack([rain, seen], 2)
    model = Forecast(cut=not cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(700, 35, 12):
            optimizer.zero_grad()
            loss = F.mse_loss(model(x[chosen]), y[chosen])
            loss.backward()
            optimizer.step()
            watching.step(loss, target=y[chosen])
    with torch.no_grad():
        score = explained(model(x[700:]), y[700:])
    return Trained(watching, score, known(x, y, 700, F.mse_loss))


def standardised_apart(cured: bool, watch: Watch) -> Trained:
    """Training and validation windows are each standardised by their own mean and spread; the
    training ones are from all seasons, the validation ones from the wettest.
    """
    _, level = rain_and_level(1300, 14)
    season = torch.cat([3 * torch.rand(1000), 2 + torch.rand(300)])
    level = level + season[:, None]
    y = 0.6 * level[:, -1:] + 0.4 * level[:, -2:-1]
    x = level[:, :-1]
    mean, spread = x[:1000].mean(), x[:1000].std()
    now = (x[:1000] - mean) / spread
    later = x[1000:]
    later = (later - mean) / spread if cured else (later - later.mean()) / later.std()
    x = torch.cat([now, later])
    model = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for _epoch in range(25):
            for window, ahead in DataLoader(
                TensorDataset(x[:1000], y[:1000]), batch_size=40, shuffle=True
            ):
                loss = F.mse_loss(model(window), ahead)
                descend(watching, optimizer, loss, ahead)
            with torch.no_grad():
                answer = model(x[1000:])
            loss = F.mse_loss(answer, y[1000:])
            watching.valid(loss=float(loss), score=explained(answer, y[1000:]))
    with torch.no_grad():
        score = explained(model(x[1000:]), y[1000:])
    return Trained(watching, score, known(x, y, 1000, F.mse_loss))


class Memory(nn.Module):
    """A plain recurrent network of ReLUs; its last state tells the level."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.rnn = nn.RNN(1, 32, nonlinearity="relu", batch_first=True)
        with torch.no_grad():
            self.rnn.get_parameter("weight_hh_l0").copy_(scale * torch.eye(32))
        self.out = nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(x)
        level: Tensor = self.out(states[:, -1])
        return level


def growing_memory(cured: bool, watch: Watch) -> Trained:
    """The matrix from state to state starts as 1.4 times the identity, over forty hours."""
    rain, level = rain_and_level(900, 40)
    x, y = rain[..., None], (level[:, -1:] - level.mean()) / level.std()
    model = Memory(0.9 if cured else 1.4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.005, momentum=0.9)
    with watch(model, optimizer) as watching:
        for _epoch in range(10):
            for chosen in torch.randperm(700).split(35):
                optimizer.zero_grad()
                loss = F.mse_loss(model(x[chosen]), y[chosen])
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 100.0)
                optimizer.step()
                watching.step(loss, target=y[chosen])
    with torch.no_grad():
        score = explained(model(x[700:]), y[700:])
    return Trained(watching, score, known(x, y, 700, F.mse_loss))


def rate_divided(cured: bool, watch: Watch) -> Trained:
    """Adagrad's `lr_decay`, taken for the factor of a schedule, divides the rate by the number of
    the step.
    """
    rain, level = rain_and_level(1200, 24)
    x, y = rain, level[:, -1:] * level[:, -6:-5]
    y = (y - y.mean()) / y.std()
    model = nn.Sequential(
        nn.Linear(24, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 1)
    )
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.02, lr_decay=0.0 if cured else 0.99)
    with watch(model, optimizer) as watching:
        for chosen in batches(900, 30, 30):
            optimizer.zero_grad()
            loss = F.mse_loss(model(x[chosen]), y[chosen])
            loss.backward()
            optimizer.step()
            watching.step(loss.detach(), target=y[chosen])
    with torch.no_grad():
        score = explained(model(x[900:]), y[900:])
    return Trained(watching, score, known(x, y, 900, F.mse_loss))


class Channels(nn.Module):
    """Convolutions over hours and the mean of the last ones."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(1, 16, 5, padding=2), nn.ReLU(), nn.Conv1d(16, 16, 5, padding=2), nn.ReLU()
        )
        self.out = nn.Linear(16 * 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        level: Tensor = self.out(self.layers(x[:, None])[:, :, -4:].flatten(1))
        return level


def logarithm_of_no_rain(cured: bool, watch: Watch) -> Trained:
    """The logarithm of rain is taken, and in most hours there is none."""
    rain, level = rain_and_level(1000, 20)
    x = (1 + rain).log() if cured else rain.log()
    y = (level[:, -1:] - level.mean()) / level.std()
    model = Channels()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for _epoch in range(12):
            for window, now in DataLoader(TensorDataset(x[:800], y[:800]), 32, shuffle=True):
                optimizer.zero_grad()
                loss = F.mse_loss(model(window), now)
                loss.backward()
                optimizer.step()
                watching.step(loss, target=now)
    with torch.no_grad():
        score = explained(model(x[800:]), y[800:])
    return Trained(watching, score, known(x, y, 800, F.mse_loss))


PAIRS = [
    Pair(
        "rivers: the state of the past detached",
        "rivers: the state of the past attached",
        ("gradient_discarded", "parameters_not_updated"),
        past_cut_off,
        0.7,
        0.85,
    ),
    Pair(
        "rivers: a wet season standardised by itself",
        "rivers: a wet season standardised as all seasons",
        ("train_valid_mismatch",),
        standardised_apart,
        0.3,
        0.7,
    ),
    Pair(
        "rivers: a memory that grows by 1.4 an hour",
        "rivers: a memory that fades by .9 an hour",
        ("exploding_gradient", "signal_explodes"),
        growing_memory,
        0.7,
        0.9,
    ),
    Pair(
        "rivers: Adagrad with a decay of .99",
        "rivers: Adagrad without a decay",
        ("schedule_collapsed", "learning_rate_too_low", "optimizer_setting"),
        rate_divided,
        0.6,
        0.7,
    ),
    Pair(
        "rivers: the logarithm of no rain",
        "rivers: the logarithm of one more than the rain",
        ("inputs_not_finite", "not_finite"),
        logarithm_of_no_rain,
        0.0,
        0.7,
    ),
]
