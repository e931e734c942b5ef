"""Spoken commands, as frames of a spectrum."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, fit, known, right


class Heard(nn.Module):
    """[B, T, 8] of frames -> [B, 4] by a GRU's last state."""

    def __init__(self, batch_first: bool = True) -> None:
        super().__init__()
        self.memory = nn.GRU(8, 32, batch_first=batch_first)
        self.head = nn.Linear(32, 4)

    def forward(self, frames: Tensor) -> Tensor:
        word: Tensor = self.head(self.memory(frames)[0][:, -1])
        return word


class Filters(nn.Module):
    """[B, 8, T] -> [B, 4] by convolutions over time; may drop and take logarithms of its own."""

    def __init__(self, drop: float = 0.0, floor: float | None = None) -> None:
        super().__init__()
        self.first, self.second = nn.Conv1d(8, 16, 5, padding=2), nn.Conv1d(16, 32, 5, padding=2)
        self.head = nn.Linear(32, 4)
        self.drop, self.floor = drop, floor

    def forward(self, x: Tensor) -> Tensor:
        if self.floor is not None:
            x = torch.log(x + self.floor)
        h = F.relu(self.second(F.relu(self.first(x)))).amax(2)
        word: Tensor = self.head(F.dropout(h, self.drop))
        return word


def sweeps(count: int) -> tuple[Tensor, Tensor]:
    """A ridge that rises or falls from one of two bands, then silence. [N, 16, 8], [N]"""
    y = torch.randint(4, (count,))
    time, band = torch.arange(16.0), torch.arange(8.0)
    start = torch.where(y % 2 == 0, 3.0, 4.0) + 0.3 * torch.randn(count)
    slope = torch.where(y < 2, 0.5, -0.5)
    ridge = start[:, None] + slope[:, None] * time.clamp(max=6)
    x = torch.exp(-(band - ridge[..., None]).square()) * (time < 9)[:, None]
    return x + 0.1 * torch.randn(count, 16, 8), y


def frames_first(cured: bool, watch: Watch) -> Trained:
    x, y = sweeps(1000)
    model = Heard(batch_first=cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:800], y[:800], 10)
    return Trained(watching, right(model(x[800:]), y[800:]), known(x, y, 800, F.cross_entropy))


def silent_frames(cured: bool, watch: Watch) -> Trained:
    """The spectrum is 0 where nothing is heard; its logarithm is taken in the network."""
    x, y = sweeps(1000)
    x = x.clamp(min=0).transpose(1, 2).contiguous()
    model = Filters(floor=1e-2 if cured else 0.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:800], y[:800], 10)
    return Trained(watching, right(model(x[800:]), y[800:]), known(x, y, 800, F.cross_entropy))


def bands_by_view(cured: bool, watch: Watch) -> Trained:
    """A dense network of the bands' order trained on frames that were only viewed another way."""
    x, y = sweeps(1000)
    bands = x.transpose(1, 2).contiguous()
    model = Filters()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(800, 32, 10):
            frames = x[chosen]
            fed = frames.transpose(1, 2) if cured else frames.reshape(-1, 8, 16)
            descend(watching, optimizer, F.cross_entropy(model(fed), y[chosen]), y[chosen])
    score = right(model(bands[800:]), y[800:])
    return Trained(watching, score, known(bands, y, 800, F.cross_entropy))


def functional_dropout(cured: bool, watch: Watch) -> Trained:
    x, y = sweeps(1000)
    x = x.transpose(1, 2).contiguous()
    model = Filters(drop=0.0 if cured else 0.9)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:800], y[:800], 12)
    model.eval()
    return Trained(watching, right(model(x[800:]), y[800:]), known(x, y, 800, F.cross_entropy))


def warm_up_by_the_epoch(cured: bool, watch: Watch) -> Trained:
    """A warm-up counted in steps, moved on once an epoch."""
    x, y = sweeps(1000)
    model = Heard()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: min(1.0, (n + 1) / 1000))
    if cured:
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: min(1.0, (n + 1) / 50))
    with watch(model, optimizer) as watching:
        for _ in range(10):
            for chosen in batches(800, 32, 1):
                descend(watching, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]))
                if cured:
                    schedule.step()
            if not cured:
                schedule.step()
    return Trained(watching, right(model(x[800:]), y[800:]), known(x, y, 800, F.cross_entropy))


PAIRS = [
    Pair(
        "frames of a command read with the time first",
        "frames of a command read with the batch first",
        ("samples_mixed",),
        frames_first,
        0.6,
        0.9,
    ),
    Pair(
        "logarithm of silent frames",
        "logarithm of frames with a floor",
        ("not_finite",),
        silent_frames,
        0.4,
        0.9,
    ),
    Pair(
        "frames viewed as bands",
        "frames transposed to bands",
        ("inputs_scrambled", "train_valid_mismatch"),
        bands_by_view,
        0.7,
        0.9,
    ),
    Pair(
        "a command's functional dropout left on",
        "commands without functional dropout",
        ("mode_mismatch",),
        functional_dropout,
        0.8,
        0.92,
    ),
    Pair(
        "warm-up in steps moved on by the epoch",
        "warm-up in steps moved on by the step",
        ("learning_rate_too_low",),
        warm_up_by_the_epoch,
        0.75,
        0.9,
    ),
]
