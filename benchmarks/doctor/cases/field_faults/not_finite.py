"""Numbers that are not finite, by cause."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained
from benchmarks.doctor.cases.field_faults.drawn import bent, clouds
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense


def log_of_nothing(cured: bool, watch: Watch) -> Trained:
    """Cross-entropy written by hand: a sure answer has the probability 0 for the other class."""
    y = torch.randint(2, (1200, 1)).float()
    x = 2 * (2 * y - 1) * torch.rand(1200, 6) + torch.randn(1200, 6)
    x[:, 0] *= 40

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        p = torch.sigmoid(output)
        if cured:
            p = p.clamp(1e-6, 1 - 1e-6)
        return -(target * p.log() + (1 - target) * (1 - p).log()).mean()

    model = dense(6, 32, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    watching = fit(watch, model, optimizer, loss_fn, x[:1000], y[:1000], 8)
    answer = model(x[1000:])
    finite = bool(answer.isfinite().all())
    score = float(((answer > 0).float() == y[1000:]).double().mean()) if finite else -1.0
    return Trained(watching, score, known(x, y, 1000, loss_fn))


class Standardised(nn.Module):
    """Each feature over its spread in the training data; one of them is the same for all."""

    def __init__(self, x: Tensor, least: float) -> None:
        super().__init__()
        self.mean: Tensor
        self.spread: Tensor
        self.register_buffer("mean", x.mean(0))
        self.register_buffer("spread", x.std(0) + least)
        self.layers = dense(x.shape[1], 32, 3)

    def forward(self, x: Tensor) -> Tensor:
        kinds: Tensor = self.layers((x - self.mean) / self.spread)
        return kinds


def constant_column(cured: bool, watch: Watch) -> Trained:
    x, y = clouds(1000, 3, 6)
    x[:, 3] = 2.0
    model = Standardised(x[:800], 1e-6 if cured else 0.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:800], y[:800], 6)
    return Trained(watching, right(model(x[800:]), y[800:]), known(x, y, 800, F.cross_entropy))


class Roots(nn.Module):
    """The root of what is above 0, and 0 elsewhere; its slope is asked for everywhere."""

    def __init__(self, guarded: bool) -> None:
        super().__init__()
        self.guarded = guarded
        self.into, self.out = nn.Linear(6, 32), nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.into(x)
        inner = h.clamp(min=1e-3) if self.guarded else h
        number: Tensor = self.out(torch.where(h > 0, inner.sqrt(), torch.zeros_like(h)))
        return number


def chosen_by_where(cured: bool, watch: Watch) -> Trained:
    x, y = bent(1200)
    y = x[:, :2].abs().sqrt().sum(1, keepdim=True)
    model = Roots(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.l1_loss, x[:1000], y[:1000], 20)
    return Trained(watching, explained(model(x[1000:]), y[1000:]), known(x, y, 1000, F.l1_loss))


class OwnSoftplus(nn.Module):
    """log(1 + exp(h)) as it is written in books, or as it is computed."""

    def __init__(self, by_hand: bool) -> None:
        super().__init__()
        self.by_hand = by_hand
        self.into, self.out = nn.Linear(6, 32), nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.into(x)
        number: Tensor = self.out((1 + h.exp()).log() if self.by_hand else F.softplus(h))
        return number


def exponential_of_large_values(cured: bool, watch: Watch) -> Trained:
    """One feature is a weight in pounds."""
    x = torch.randn(1200, 6)
    x[:, 0] = 250 + 60 * x[:, 0]
    y = (x[:, :1] - 250) / 60 + x[:, 1:2]
    model = OwnSoftplus(not cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, F.smooth_l1_loss, x[:1000], y[:1000], 20)
    data = known(x, y, 1000, F.smooth_l1_loss)
    return Trained(watching, explained(model(x[1000:]), y[1000:]), data)


class OwnBatchNorm(nn.Module):
    """Normalised over the batch, and by the running values in use."""

    def __init__(self) -> None:
        super().__init__()
        self.running: Tensor
        self.register_buffer("running", torch.tensor([[0.0] * 48, [1.0] * 48]))
        self.into, self.out = nn.Linear(6, 48), nn.Linear(48, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.into(x)
        if self.training:
            mean, var = h.mean(0), h.var(0)
            new = torch.stack([mean, var]).detach()
            self.running = 0.9 * self.running + 0.1 * new
        else:
            mean, var = self.running
        number: Tensor = self.out(F.relu((h - mean) / (var + 1e-5).sqrt()))
        return number


def last_batch_of_one(cured: bool, watch: Watch) -> Trained:
    """993 samples in batches of 32: one is left for the last, or is left out."""
    x = torch.randn(1193, 6)
    y = x[:, :1].abs() + x[:, 1:2].abs() + x[:, 2:3]
    count = 992 if cured else 993
    model = OwnBatchNorm()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:count], y[:count], 12)
    model.eval()
    return Trained(watching, explained(model(x[993:]), y[993:]), known(x, y, 993, F.mse_loss))


def angle_at_one(cured: bool, watch: Watch) -> Trained:
    """The angle between the answer and the direction to learn, by an arc cosine."""
    x = torch.randn(1200, 5)
    y = F.normalize(torch.tanh(x @ torch.randn(5, 2)), dim=1)

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        cosine = (F.normalize(output, dim=1) * target).sum(1)
        if cured:
            cosine = cosine.clamp(-1 + 1e-5, 1 - 1e-5)
        return torch.acos(cosine).mean()

    model = dense(5, 32, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, loss_fn, x[:1000], y[:1000], 15)
    score = explained(F.normalize(model(x[1000:]), dim=1), y[1000:])
    return Trained(watching, score, known(x, y, 1000, loss_fn))


PAIRS = [
    Pair(
        "cross-entropy by hand, log of a probability of 0",
        "cross-entropy by hand, probabilities clamped",
        ("not_finite",),
        log_of_nothing,
        0.5,
        0.7,
    ),
    Pair(
        "a constant column over its spread of 0",
        "a constant column over a least spread",
        ("not_finite", "inputs_not_finite"),
        constant_column,
        0.5,
        0.8,
    ),
    Pair(
        "root of negative numbers chosen away by where",
        "root guarded before where",
        ("not_finite",),
        chosen_by_where,
        0.4,
        0.8,
    ),
    Pair(
        "softplus by hand of values that overflow",
        "softplus of large values",
        ("not_finite", "inputs_unscaled"),
        exponential_of_large_values,
        0.2,
        0.6,
    ),
    Pair(
        "spread of a last batch of one sample",
        "spread of full batches",
        ("not_finite", "batch_too_small"),
        last_batch_of_one,
        0.2,
        0.6,
    ),
    Pair(
        "arc cosine at one",
        "arc cosine below one",
        ("not_finite",),
        angle_at_one,
        0.3,
        0.7,
    ),
]
