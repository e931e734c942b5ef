"""A sample's answer depends on the others in its batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained
from benchmarks.doctor.cases.field_faults.drawn import bent, waves
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right


def marked(count: int, length: int) -> tuple[Tensor, Tensor]:
    """Series of vectors [count, length, 6]; the class is the largest of the features 1, 2, 3 at
    the place where feature 0 is high.
    """
    x = torch.randn(count, length, 6)
    place = torch.randint(length, (count,))
    x[torch.arange(count), place, 0] += 6
    return x, x[torch.arange(count), place, 1:4].argmax(1)


class Encoder(nn.Module):
    """Attention between the places of a series, and the mean of what comes of it."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.into = nn.Linear(6, 24)
        self.attention = nn.MultiheadAttention(24, 2, batch_first=batch_first)
        self.kind = nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 3))

    def forward(self, x: Tensor) -> Tensor:
        h = self.into(x)
        h, _ = self.attention(h, h, h)
        kinds: Tensor = self.kind(h.mean(1))
        return kinds


def attention_across(cured: bool, watch: Watch) -> Trained:
    x, y = marked(1400, 10)
    model = Encoder(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:1100], y[:1100], 12)
    return Trained(watching, right(model(x[1100:]), y[1100:]), known(x, y, 1100, F.cross_entropy))


class TimeFirst(nn.Module):
    """A recurrent network over series [B, T, F] that are, or are not, turned to [T, B, F]."""

    def __init__(self, turned: bool) -> None:
        super().__init__()
        self.turned = turned
        self.rnn = nn.RNN(3, 32)
        self.number = nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        steps = x.transpose(0, 1) if self.turned else x.reshape(x.shape[1], x.shape[0], 3)
        number: Tensor = self.number(self.rnn(steps)[1][0])
        return number


def batch_read_as_time(cured: bool, watch: Watch) -> Trained:
    x = torch.randn(1200, 10, 3)
    y = x[:, -4:, 0].sum(1, keepdim=True) / 2
    model = TimeFirst(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:1000], y[:1000], 10)
    return Trained(watching, explained(model(x[1000:]), y[1000:]), known(x, y, 1000, F.mse_loss))


class Pooled(nn.Module):
    """A weighted mean over places, the weights a softmax over `axis` of the scores [B, T]."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis
        self.hidden = nn.Sequential(nn.Linear(6, 32), nn.Tanh())
        self.scores, self.kind = nn.Linear(32, 1), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        weights = torch.softmax(8 * self.scores(self.hidden(x))[..., 0], self.axis)
        kinds: Tensor = self.kind((weights[..., None] * x).sum(1))
        return kinds


def softmax_over_batch(cured: bool, watch: Watch) -> Trained:
    x, y = marked(1400, 12)
    model = Pooled(1 if cured else 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:1100], y[:1100], 20)
    return Trained(watching, right(model(x[1100:]), y[1100:]), known(x, y, 1100, F.cross_entropy))


class Running(nn.Module):
    """The number of a series from its running sum, taken along `axis`."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis
        self.layers = nn.Sequential(nn.Linear(16, 48), nn.ReLU(), nn.Linear(48, 1))

    def forward(self, x: Tensor) -> Tensor:
        number: Tensor = self.layers(x.cumsum(self.axis) / 4)
        return number


def running_sum(cured: bool, watch: Watch) -> Trained:
    x = torch.randn(1200, 16)
    y = x.cumsum(1).amax(1, keepdim=True) / 2
    model = Running(1 if cured else 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:1000], y[:1000], 20)
    return Trained(watching, explained(model(x[1000:]), y[1000:]), known(x, y, 1000, F.mse_loss))


class Normalised(nn.Module):
    """Each series brought to mean 0 and spread 1: its own, or that of its batch."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis
        self.layers = nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 2))

    def forward(self, x: Tensor) -> Tensor:
        x = (x - x.mean(self.axis, keepdim=True)) / (x.std(self.axis, keepdim=True) + 1e-5)
        kinds: Tensor = self.layers(x)
        return kinds


def statistics_of_the_batch(cured: bool, watch: Watch) -> Trained:
    """Fast waves against slow ones; in use they come a few at a time, all of one machine, which
    has a level and a gain of its own.
    """
    slow, fast = waves(700, 24), torch.sin(1.5 * torch.arange(24) + 6.28 * torch.rand(700, 1))
    y = torch.randint(2, (700,))
    x = torch.where(y[:, None] == 0, slow, fast + 0.1 * torch.randn(700, 24))
    model = Normalised(1 if cured else 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:500], y[:500], 12)
    with torch.no_grad():
        pairs = [model(10 + 5 * part) for part in x[500:].split(2)]
    data = known(x, y, 500, F.cross_entropy)
    return Trained(watching, right(torch.cat(pairs), y[500:]), data)


class Folded(nn.Module):
    """Groups of features [B, 4, 3] folded into rows and out again, in the same order or not."""

    def __init__(self, same_order: bool) -> None:
        super().__init__()
        self.same_order = same_order
        self.each = nn.Sequential(nn.Linear(3, 24), nn.ReLU())
        self.number = nn.Linear(96, 1)

    def forward(self, x: Tensor) -> Tensor:
        if self.same_order:
            h = self.each(x.reshape(-1, 3)).reshape(len(x), -1)
        else:  # group by group, and read back as if sample by sample
            h = self.each(x.transpose(0, 1).reshape(-1, 3)).reshape(len(x), -1)
        number: Tensor = self.number(h)
        return number


def folded(cured: bool, watch: Watch) -> Trained:
    x, y = bent(1400, 12)
    x = x.view(-1, 4, 3)
    y = x[:, 0, :1].abs() + x[:, 1, 1:2].abs() + x[:, 2, :1]
    model = Folded(cured)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.huber_loss, x[:1200], y[:1200], 10, 40)
    return Trained(watching, explained(model(x[1200:]), y[1200:]), known(x, y, 1200, F.huber_loss))


PAIRS = [
    Pair(
        "batch read as time",
        "time first, as the RNN takes it",
        ("samples_mixed",),
        batch_read_as_time,
        0.3,
        0.7,
    ),
    Pair(
        "softmax over the batch in a weighted mean",
        "softmax over the places in a weighted mean",
        ("samples_mixed",),
        softmax_over_batch,
        0.48,
        0.53,
    ),
    Pair(
        "running sum over the batch",
        "running sum over time",
        ("samples_mixed",),
        running_sum,
        0.4,
        0.8,
    ),
    Pair(
        "normalised by the statistics of its batch",
        "each series normalised by itself",
        ("samples_mixed", "mode_mismatch"),
        statistics_of_the_batch,
        0.82,
        0.9,
    ),
    Pair(
        "groups folded in one order and out in another",
        "groups folded and unfolded",
        ("samples_mixed",),
        folded,
        0.4,
        0.7,
    ),
    Pair(
        "attention between samples, batch_first forgotten",
        "attention between places",
        ("samples_mixed",),
        attention_across,
        0.82,
        0.88,
    ),
]
