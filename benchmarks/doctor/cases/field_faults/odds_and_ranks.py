"""Answers of several labels, ranks, counts, times and spreads."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known


def dense(outputs: int, last: nn.Module | None = None) -> nn.Sequential:
    layers = [nn.Linear(10, 48), nn.ReLU(), nn.Linear(48, outputs)]
    return nn.Sequential(*layers, *([last] if last else []))


def labels(count: int, names: int, share: float) -> tuple[Tensor, Tensor]:
    """Points [count, 10] and which of the names are true of each, a `share` of them."""
    x = torch.randn(count, 10)
    height = x @ torch.randn(10, names) + x[:, :1].square() + 0.3 * torch.randn(count, names)
    return x, (height > height.quantile(1 - share, 0)).float()


@torch.no_grad()
def f1(answer: Tensor, truth: Tensor) -> float:
    """2 hits / (all that are true + all that were called so), over all names."""
    hits = (answer & (truth > 0)).sum()
    return float(2 * hits / (answer.sum() + truth.sum()))


def one_of_many_for_several(cured: bool, watch: Watch) -> Trained:
    """Softmax over names of which several are true; each is called by a chance above a half."""
    x, y = labels(900, 6, 0.5)
    model = dense(6)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    loss_fn = F.binary_cross_entropy_with_logits if cured else F.cross_entropy
    watching = fit(watch, model, optimizer, loss_fn, x[:700], y[:700], 15)
    output = model(x[700:])
    chance = output.sigmoid() if cured else output.softmax(1)
    return Trained(watching, f1(chance > 0.5, y[700:]), known(x, y, 700, loss_fn))


def chances_into_scores(cured: bool, watch: Watch) -> Trained:
    """The network ends in a sigmoid and the loss puts another behind it."""
    x, y = labels(900, 6, 0.08)
    model = dense(6, nn.Sigmoid())
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    loss_fn = nn.BCELoss() if cured else nn.BCEWithLogitsLoss()
    with watch(model, optimizer) as watching:
        for _ in range(20):
            for chosen in batches(700, 32, 1):
                descend(watching, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
            with torch.no_grad():
                answer = model(x[700:])
            watching.valid(loss=float(loss_fn(answer, y[700:])), score=f1(answer > 0.5, y[700:]))
    return Trained(watching, f1(answer > 0.5, y[700:]), known(x, y, 700, loss_fn))


def concordance(risk: Tensor, time: Tensor, died: Tensor) -> float:
    """Of pairs of which one is known to have died first, how often its risk is larger."""
    first = (time[:, None] < time) & (died[:, None] > 0)
    return float((risk[:, None] > risk)[first].double().mean())


def risk_of_those_who_lived(cured: bool, watch: Watch) -> Trained:
    """The partial likelihood itself is brought down."""
    x = torch.randn(900, 10)
    true_risk = x @ (0.5 * torch.randn(10, 1)) + 0.5 * x[:, :1] * x[:, 1:2]
    time = -torch.rand(900).log() / true_risk[:, 0].exp()
    died = (torch.rand(900) < 0.7).float()
    model = dense(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(700, 70, 20):
            order = chosen[time[chosen].argsort(descending=True)]
            risk = model(x[order])[:, 0]
            likelihood = ((risk - risk.logcumsumexp(0)) * died[order]).sum() / died[order].sum()
            loss = -likelihood if cured else likelihood
            descend(watching, optimizer, loss, time[order])
    score = concordance(model(x[700:])[:, 0].detach(), time[700:], died[700:])
    return Trained(watching, score)


def rates_raised_twice(cured: bool, watch: Watch) -> Trained:
    """The network ends in an exponential; the loss takes its output for a logarithm."""
    x = torch.randn(1000, 10)
    rate = (1.5 + 0.7 * x[:, :1] + 0.5 * x[:, 1:2] * x[:, 2:3]).clamp(-2, 4).exp()
    y = torch.poisson(rate)

    class Exp(nn.Module):
        def forward(self, h: Tensor) -> Tensor:
            return h.exp()

    model = dense(1, Exp())
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    loss_fn = nn.PoissonNLLLoss(log_input=not cured)
    watching = fit(watch, model, optimizer, loss_fn, x[:800], y[:800], 25)
    return Trained(watching, explained(model(x[800:]), rate[800:]), known(x, y, 800, loss_fn))


def spread_of_nothing(cured: bool, watch: Watch) -> Trained:
    """A mean and a spread for each point; the spread comes from a ReLU, or from a softplus."""
    x = torch.randn(900, 10)
    wide = 0.1 + 0.5 * x[:, 3:4].abs()
    y = x[:, :1] + torch.sin(2 * x[:, 1:2]) + wide * torch.randn(900, 1)
    model = dense(2)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        mean, raw = output.chunk(2, 1)
        spread = F.softplus(raw) + 1e-3 if cured else F.relu(raw)
        return (spread.log() + 0.5 * ((target - mean) / spread).square()).mean()

    watching: Any = fit(watch, model, optimizer, loss_fn, x[:700], y[:700], 20)
    score = explained(model(x[700:])[:, :1], y[700:])
    return Trained(watching, score, known(x, y, 700, loss_fn))


PAIRS = [
    Pair(
        "one of many asked where several are true",
        "each name asked for itself where several are true",
        ("loss_unsuited",),
        one_of_many_for_several,
        0.6,
        0.75,
    ),
    Pair(
        "chances of rare names taken for scores",
        "chances of rare names taken for chances",
        ("output_loss_mismatch",),
        chances_into_scores,
        0.2,
        0.5,
    ),
    Pair(
        "the likelihood of deaths brought down",
        "the likelihood of deaths brought up",
        ("loss_sign",),
        risk_of_those_who_lived,
        0.45,
        0.65,
    ),
    Pair(
        "rates of counts raised twice",
        "rates of counts raised once",
        ("output_loss_mismatch",),
        rates_raised_twice,
        0.2,
        0.5,
    ),
    Pair(
        "spreads by ReLU under a logarithm",
        "spreads by softplus under a logarithm",
        ("not_finite",),
        spread_of_nothing,
        0.0,
        0.6,
    ),
]
