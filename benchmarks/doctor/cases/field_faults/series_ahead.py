"""What comes next in a series, and which series it is."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right


def swings(count: int) -> Tensor:
    """A noisy series of two swings [count]."""
    t = torch.arange(count)
    phase = 6.28 * torch.rand(2)
    clean = torch.sin(t / 1.3 + phase[0]) + 0.7 * torch.sin(t / 3.9 + phase[1])
    return clean + 0.15 * torch.randn(count)


def dense(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, 32), nn.ReLU(), nn.Linear(32, 1))


class LastHidden(nn.Module):
    """A GRU's last state, or what stands first in its outputs' last place."""

    def __init__(self, of_time: bool) -> None:
        super().__init__()
        self.of_time = of_time
        self.gru = nn.GRU(1, 24, batch_first=True)
        self.head = nn.Linear(24, 1)

    def forward(self, x: Tensor) -> Tensor:
        h, _ = self.gru(x)
        ahead: Tensor = self.head(h[:, -1] if self.of_time else h[-1])
        return ahead


def last_sample_for_last_day(cured: bool, watch: Watch) -> Trained:
    """`h[-1]` of outputs [B, T, H], in batches of as many windows as a window has days."""
    windows = swings(1040).unfold(0, 21, 1)
    x, y = windows[:, :-1, None], windows[:, -1:]
    model = LastHidden(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:800], y[:800], 5, 20)
    answer = torch.cat([model(part) for part in x[800:1020].split(20)])
    data = known(x[:1020], y[:1020], 800, F.mse_loss)
    return Trained(watching, explained(answer, y[800:1020]), data)


def thousands(cured: bool, watch: Watch) -> Trained:
    """The level of a series around 5,000 as it is, or in spreads from its mean."""
    series = 5000 + 300 * swings(1020)
    windows = (series - 5000).unfold(0, 13, 1) / 300
    x, y = windows[:, :-1], series[12:, None]
    if cured:
        y = (y - y[:800].mean()) / y[:800].std()
    model = dense(12)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for _ in range(12):
            for chosen in batches(800, 32, 1):
                loss = F.mse_loss(model(x[chosen]), y[chosen])
                descend(watching, optimizer, loss, y[chosen])
            with torch.no_grad():
                watching.valid(loss=float(F.mse_loss(model(x[800:]), y[800:])))
    return Trained(watching, explained(model(x[800:]), y[800:]), known(x, y, 800, F.mse_loss))


def each_part_by_its_own_scale(cured: bool, watch: Watch) -> Trained:
    """The later part lies higher and is wider; it is scaled by its own mean and spread, or by those
    of the earlier part.
    """
    x = torch.randn(1000, 8)
    x[750:] = 1.5 * x[750:] + 2.5
    y = torch.relu(x @ torch.randn(8, 1)) + 0.5 * (x[:, :1] + x[:, 1:2])
    early, late = x[:750], x[750:]
    base = early if cured else late
    x = torch.cat([(early - early.mean(0)) / early.std(0), (late - base.mean(0)) / base.std(0)])
    model = dense(8)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:750], y[:750], 25, 50)
    return Trained(watching, explained(model(x[750:]), y[750:]), known(x, y, 750, F.mse_loss))


def one_season_after_another(cured: bool, watch: Watch) -> Trained:
    """Windows of five months, in the order of the year or in any; which month it is."""
    y = torch.arange(1000) // 200
    pace = torch.tensor([0.4, 0.7, 1.0, 1.4, 2.0])[y][:, None]
    x = torch.sin(pace * torch.arange(24) + 6.28 * torch.rand(1000, 1))[:, None]
    x = x + 0.4 * torch.randn(1000, 1, 24)
    late = torch.rand(1000) < 0.25
    train, valid = (x[~late], y[~late]), (x[late], y[late])
    model = nn.Sequential(nn.Conv1d(1, 16, 9), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten())
    model.extend([nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 5)])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for _ in range(6):
            order = torch.randperm(len(train[0])) if cured else torch.arange(len(train[0]))
            for chosen in order.split(12):
                loss = F.cross_entropy(model(train[0][chosen]), train[1][chosen])
                descend(watching, optimizer, loss, train[1][chosen])
    data = {"train": train, "valid": valid, "loss_fn": F.cross_entropy}
    return Trained(watching, right(model(valid[0]), valid[1]), data)


PAIRS = [
    Pair(
        "state of the last sample for that of the last day",
        "state of the last day",
        ("samples_mixed",),
        last_sample_for_last_day,
        0.3,
        0.7,
    ),
    Pair(
        "a series forecast in its thousands",
        "a series forecast in its spreads",
        ("targets_unscaled",),
        thousands,
        0.2,
        0.7,
    ),
    Pair(
        "later days scaled by themselves",
        "later days scaled by the earlier ones",
        ("train_valid_mismatch",),
        each_part_by_its_own_scale,
        0.4,
        0.7,
    ),
    Pair(
        "months one after another",
        "months in any order",
        ("not_shuffled",),
        one_season_after_another,
        0.75,
        0.9,
    ),
]
