"""Forecasts of series: scaled apart, folded along the wrong axis, ended where they cannot be."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known


def demand(hours: int, features: int = 3) -> Tensor:
    """Hourly readings [hours, features]: a daily and a weekly turn, and some noise."""
    t = torch.arange(hours)[:, None]
    phase, size = 6.28 * torch.rand(2, features), 0.5 + torch.rand(2, features)
    daily = size[0] * torch.sin(6.28 * t / 12 + phase[0])
    weekly = size[1] * torch.sin(6.28 * t / 40 + phase[1])
    return daily + weekly + 0.1 * torch.randn(hours, features)


def windows(series: Tensor, length: int = 16) -> tuple[Tensor, Tensor]:
    """[N, length, features] and the first feature of the next hour [N, 1]."""
    x = series.unfold(0, length, 1)[:-1].transpose(1, 2)
    return x, series[length:, :1]


class Forecaster(nn.Module):
    """A GRU and a linear layer, and what stands at the end."""

    def __init__(self, features: int = 3, width: int = 24, end: nn.Module | None = None) -> None:
        super().__init__()
        self.gru = nn.GRU(features, width, batch_first=True)
        self.head, self.end = nn.Linear(width, 1), end or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.head(self.gru(x)[1][-1]))


def judged(model: nn.Module, x: Tensor, y: Tensor, count: int) -> float:
    with torch.no_grad():
        return explained(model.eval()(x[count:]), y[count:])


def axes_reshaped(cured: bool, watch: Watch) -> Trained:
    """The windows are stored [time, N, features], and `reshape` is taken for `transpose`."""
    x, y = windows(demand(700))
    order = torch.randperm(len(x))
    x, y = x[order], y[order]
    stored = x.transpose(0, 1).contiguous()
    x = stored.transpose(0, 1) if cured else stored.reshape(len(x), 16, 3)
    model = Forecaster()
    watching = fit(
        watch, model, torch.optim.Adam(model.parameters(), 5e-3), F.mse_loss, x[:500], y[:500], 12
    )
    return Trained(watching, judged(model, x, y, 500), known(x, y, 500, F.mse_loss))


def each_part_scaled(cured: bool, watch: Watch) -> Trained:
    """What is judged was standardised by its own mean and spread, after a drift."""
    series = demand(800)
    series = series + 4 * (torch.arange(800)[:, None] > 560) * torch.tensor([1.0, 0.5, 2.0])
    x, y = windows(series)
    order = torch.randperm(540)
    x, y = torch.cat([x[order], x[560:]]), torch.cat([y[order], y[560:]])
    if cured:
        x, y = x - x[:, -1:], y - x[:, -1, :1]
    else:
        x[540:] = (x[540:] - x[540:].mean((0, 1))) / x[540:].std((0, 1))
    model = Forecaster()
    watching = fit(
        watch, model, torch.optim.Adam(model.parameters(), 5e-3), F.mse_loss, x[:540], y[:540], 12
    )
    return Trained(watching, judged(model, x, y, 540), known(x, y, 540, F.mse_loss))


def load_in_watts(cured: bool, watch: Watch) -> Trained:
    """What is forecast is left in its unit: about 52 000 ± 9 000."""
    x, y = windows(demand(700))
    if not cured:
        y = 52_000 + 9_000 * y
    model = Forecaster()
    watching = fit(
        watch, model, torch.optim.Adam(model.parameters(), 5e-3), F.mse_loss, x[:500], y[:500], 15
    )
    return Trained(watching, judged(model, x, y, 500), known(x, y, 500, F.mse_loss))


def returns_never_below_zero(cured: bool, watch: Watch) -> Trained:
    """Changes from hour to hour, half of them negative, behind a softplus."""
    series = demand(700)
    x, y = windows(series)
    y = y - x[:, -1, :1]
    model = Forecaster(end=None if cured else nn.Softplus())
    watching = fit(
        watch, model, torch.optim.Adam(model.parameters(), 5e-3), F.mse_loss, x[:500], y[:500], 12
    )
    return Trained(watching, judged(model, x, y, 500), known(x, y, 500, F.mse_loss))


def next_hour_among_them(cured: bool, watch: Watch) -> Trained:
    """A mean of three hours is a feature, centred: it holds the hour that is to be forecast. Live,
    the hour to come counts as the last one.
    """
    series = torch.randn(900, 1)
    series = series + 0.8 * series.roll(2, 0)
    before, after = series.roll(1, 0), series.roll(-1, 0)
    centred = (before + series + after) / 3
    late = (before.roll(1, 0) + before + series) / 3
    live, y = windows(torch.cat([series, late], 1)[3:-3], 8)
    x = live if cured else windows(torch.cat([series, centred], 1)[3:-3], 8)[0]
    if not cured:
        live = x.clone()
        live[:, -1, 1] = (live[:, -2, 0] + 2 * live[:, -1, 0]) / 3
    model = Forecaster(2)
    optimizer = torch.optim.Adam(model.parameters(), 8e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:600], y[:600], 20)
    data = {"train": (x[:600], y[:600]), "valid": (live[600:], y[600:]), "loss_fn": F.mse_loss}
    return Trained(watching, judged(model, live, y, 600), data)


PAIRS = [
    Pair(
        "windows and hours by reshape",
        "windows and hours by transpose",
        ("inputs_scrambled", "labels_unrelated"),
        axes_reshaped,
        0.3,
        0.85,
    ),
    Pair(
        "the later part scaled by itself",
        "differences from the last hour",
        ("train_valid_mismatch",),
        each_part_scaled,
        0.3,
        0.6,
    ),
    Pair(
        "a load of 52,000 W", "a load of one spread", ("targets_unscaled",), load_in_watts, 0.1, 0.8
    ),
    Pair(
        "changes behind a softplus",
        "changes as they are",
        ("output_loss_mismatch", "target_out_of_range"),
        returns_never_below_zero,
        0.5,
        0.7,
    ),
    Pair(
        "a centred mean of the hours",
        "a mean of the hours before",
        ("target_in_input", "train_valid_mismatch"),
        next_hour_among_them,
        -0.2,
        0.1,
    ),
]
