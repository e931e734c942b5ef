"""Steps that are too long or too short, shrink too early, or are lost in rounding."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, right
from benchmarks.doctor.cases.step_faults.blind import samples
from benchmarks.doctor.cases.step_faults.plan import Plan, planned, sgd
from benchmarks.doctor.data import digits
from benchmarks.doctor.networks import dense


def long_strides(cured: bool) -> Plan:
    """A rate of 4 for filters."""
    rate = 0.1 if cured else 4.0
    model = samples.glance(10, 20)
    return Plan(samples.plates(), model, F.cross_entropy, sgd(rate, momentum=0.8), 8, 30)


def crawling_attention(cured: bool, watch: Watch) -> Trained:
    """A rate meant for the tuning of a large model, and a small one that starts from nothing."""
    (x, y), (xv, yv) = samples.auctions()
    model = samples.Bidders()
    optimizer = optim.AdamW(model.parameters(), lr=5e-3 if cured else 2e-6)
    with watch(model, optimizer) as watching:
        for _epoch in range(15):
            for chosen in torch.randperm(len(x)).split(40):
                optimizer.zero_grad()
                loss = F.mse_loss(model(x[chosen]), y[chosen])
                loss.backward()
                optimizer.step()
                watching.step(loss, target=y[chosen])
    with torch.no_grad():
        score = explained(model(xv), yv)
    return Trained(watching, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": F.mse_loss})


def decay_of_a_half(cured: bool) -> Plan:
    """A decay of .5, where a search had been told to try all powers of ten and their halves."""
    decay = 1e-4 if cured else 0.5
    model = dense(64, 64, 64, 10)
    return Plan(
        digits(),
        model,
        F.cross_entropy,
        sgd(0.1, momentum=0.5, weight_decay=decay),
        14,
        loader=True,
    )


def halved_by_the_batch(cured: bool, watch: Watch) -> Trained:
    """The rate is to halve with every fourth epoch, and a lambda counts batches."""
    (x, y), (xv, yv) = samples.strolls()
    model = samples.Ear(2, 1, 20)
    optimizer = optim.Adam(model.parameters(), lr=2e-2)
    schedule = optim.lr_scheduler.LambdaLR(optimizer, lambda count: 0.5 ** (count / 4))
    with watch(model, optimizer) as watching:
        for _ in range(14):
            for chosen in batches(len(x), 50, 1):
                descend(watching, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
                if not cured:
                    schedule.step()
            if cured:
                schedule.step()
    with torch.no_grad():
        score = explained(model(xv), yv)
    return Trained(watching, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": F.mse_loss})


def dampened(cured: bool) -> Plan:
    """A dampening as large as the momentum, of which nothing is then left but its slowness."""
    more = {} if cured else {"dampening": 0.99}
    model = dense(4, 48, 48, 1, activation=nn.Tanh)
    return Plan(
        samples.hull(),
        model,
        F.mse_loss,
        sgd(2e-3, momentum=0.99 if not cured else 0.97, **more),
        15,
        30,
        explained,
    )


def one_wide_column(cured: bool, watch: Watch) -> Trained:
    """Columns of spread 40, 1 and 1; the rate is the largest that the first of them bears."""
    draw = torch.Generator().manual_seed(101)
    x = torch.randn(1200, 3, generator=draw)
    y = 0.2 * x[:, :1] + x[:, 1:2] - x[:, 2:] + 0.1 * torch.randn(1200, 1, generator=draw)
    if not cured:
        x = x * torch.tensor([40.0, 1.0, 1.0])
    model = nn.Linear(3, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1 if cured else 2e-4)
    with watch(model, optimizer) as watching:
        for chosen in batches(900, 30, 10):
            descend(watching, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = explained(model(x[900:]), y[900:])
    known = {"train": (x[:900], y[:900]), "valid": (x[900:], y[900:]), "loss_fn": F.mse_loss}
    return Trained(watching, score, known)


class Brief(nn.Module):
    """A network whose weights have 16 bits, and whose answers have 32."""

    def __init__(self, kind: torch.dtype) -> None:
        super().__init__()
        self.body, self.kind = dense(64, 64, 10).to(kind), kind

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.body(x.to(self.kind))
        return scores.float()


def sixteen_bits(cured: bool, watch: Watch) -> Trained:
    """Steps of a ten-thousandth, and weights of a tenth that have three digits."""
    (x, y), (xv, yv) = digits()
    model = Brief(torch.float32 if cured else torch.bfloat16)
    optimizer = optim.Adam(model.parameters(), lr=1e-4)
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 10, 9):
            descend(watching, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = right(model(xv), yv)
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watching, score, known)


PAIRS: list[Pair] = [
    planned(
        "plates: a rate of 4",
        "plates: a rate of .1",
        ("learning_rate_too_high",),
        long_strides,
        0.6,
        0.9,
    ),
    Pair(
        "auctions: AdamW with .000002",
        "auctions: AdamW with .005",
        ("learning_rate_too_low",),
        crawling_attention,
        0.2,
        0.7,
    ),
    planned(
        "pixels: a decay of .5",
        "pixels: a decay of .0001",
        ("weight_decay_too_strong",),
        decay_of_a_half,
        0.6,
        0.87,
    ),
    Pair(
        "strolls: the rate halves every four batches",
        "strolls: the rate halves every four epochs",
        ("schedule_collapsed",),
        halved_by_the_batch,
        0.3,
        0.75,
    ),
    planned(
        "hull: a momentum that is dampened away",
        "hull: a momentum that is not dampened",
        ("optimizer_setting", "learning_rate_too_low"),
        dampened,
        0.7,
        0.84,
    ),
    Pair(
        "planes: one column of spread 40",
        "planes: columns of spread 1",
        ("ill_conditioned", "inputs_unscaled"),
        one_wide_column,
        0.75,
        0.95,
    ),
    Pair(
        "pixels: small steps of 16 bits",
        "pixels: small steps of 32 bits",
        ("updates_rounded_away",),
        sixteen_bits,
        0.5,
        0.7,
    ),
]
