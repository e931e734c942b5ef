"""Machines in a hall: how long they will run, what is loose in them, and which will fail."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense


def wear(count: int) -> tuple[Tensor, Tensor]:
    """Standardised readings and the wear, about 0. [N, 6], [N, 1]"""
    x = torch.randn(count, 6)
    return x, (x[:, 0] * x[:, 1] + x[:, 2].abs() - 0.8)[:, None]


def clipped_to_a_crumb(cured: bool, watch: Watch) -> Trained:
    """The longest gradient was meant to be 1 and is 0.0001, below a plain descent."""
    x, y = wear(1200)
    model = dense(6, 48, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 32, 15):
            loss = F.mse_loss(model(x[chosen]), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0 if cured else 1e-4)
            optimizer.step()
            watching.step(loss, target=y[chosen])
    return Trained(watching, explained(model(x[1000:]), y[1000:]), known(x, y, 1000, F.mse_loss))


def seconds_left(cured: bool, watch: Watch) -> Trained:
    """What is left is in seconds, millions of them."""
    x, y = wear(1200)
    y = 3e6 + 1e6 * y
    if cured:
        y = (y - y[:1000].mean()) / y[:1000].std()
    model = dense(6, 48, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, nn.MSELoss(), x[:1000], y[:1000], 15)
    return Trained(watching, explained(model(x[1000:]), y[1000:]), known(x, y, 1000, F.mse_loss))


class Inspector(nn.Module):
    """One narrow body, two heads: which of three parts is loose, and how far it turned."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 12), nn.Tanh(), nn.Linear(12, 4), nn.Tanh())
        self.part, self.turn = nn.Linear(4, 3), nn.Linear(4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(x)
        return self.part(h), self.turn(h).squeeze(1)


def turns_by_the_thousandth(cured: bool, watch: Watch) -> Trained:
    """Turns in thousandths of a degree: their squared error is all that the body hears of."""
    x = torch.randn(1400, 8)
    part = torch.stack([x[:, 0], x[:, 1], -x[:, 0] - x[:, 1]], 1).argmax(1)
    turn = x[:, 2] + x[:, 3] * x[:, 4]
    turn = turn if cured else 1000 * turn
    model = Inspector()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(1200, 32, 10):
            logits, answer = model(x[chosen])
            parts = {
                "part": F.cross_entropy(logits, part[chosen]),
                "turn": F.mse_loss(answer, turn[chosen]),
            }
            descend(watching, optimizer, parts["part"] + parts["turn"], parts=parts)
    with torch.no_grad():
        score = right(model(x[1200:])[0], part[1200:])
    return Trained(watching, score)


def few_that_fail(cured: bool, watch: Watch) -> Trained:
    """Two of a hundred machines fail. Judged by the failing ones that are found, and the others."""
    x = torch.randn(4000, 5)
    risk = x[:, 0] + x[:, 1] + 0.9 * torch.randn(4000)
    y = (risk > risk.quantile(0.98)).long()
    model = dense(5, 24, 2)
    weight = torch.tensor([0.02, 0.98]) * 10 if cured else None
    loss_fn = nn.CrossEntropyLoss(weight=weight)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, loss_fn, x[:3000], y[:3000], 4, 64)
    with torch.no_grad():
        hit = model(x[3000:]).argmax(1) == y[3000:]
    score = float((hit[y[3000:] == 1].double().mean() + hit[y[3000:] == 0].double().mean()) / 2)
    return Trained(watching, score, known(x, y, 3000, loss_fn))


def another_gain(cured: bool, watch: Watch) -> Trained:
    """The amplifier of the machines that are judged has another gain and offset."""
    x = torch.randn(1200, 10)
    y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).long()
    seen = x.clone()
    if not cured:
        seen[1000:] = 4 * seen[1000:] + 6
    model = dense(10, 48, 2, activation=nn.GELU)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, seen[:1000], y[:1000], 15)
    with torch.no_grad():
        score = right(model(seen[1000:]), y[1000:])
    return Trained(watching, score, known(seen, y, 1000, F.cross_entropy))


PAIRS = [
    Pair(
        "wear whose gradient is clipped to a crumb",
        "wear whose gradient is clipped at one",
        ("gradient_clipped_away",),
        clipped_to_a_crumb,
        0.3,
        0.85,
    ),
    Pair(
        "seconds that a machine has left",
        "standardised seconds that a machine has left",
        ("targets_unscaled",),
        seconds_left,
        0.2,
        0.85,
    ),
    Pair(
        "loose parts beside turns by the thousandth",
        "loose parts beside turns of like size",
        ("loss_terms_unbalanced", "targets_unscaled"),
        turns_by_the_thousandth,
        0.65,
        0.85,
    ),
    Pair(
        "few machines that fail, all weighing alike",
        "few machines that fail, weighing more",
        ("class_imbalance",),
        few_that_fail,
        0.65,
        0.75,
    ),
    Pair(
        "machines judged by another gain",
        "machines judged by the same gain",
        ("train_valid_mismatch",),
        another_gain,
        0.75,
        0.85,
    ),
]
