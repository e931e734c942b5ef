"""Networks with several answers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import (
    Trained,
    batches,
    descend,
    faulty_and_cured,
    healthy,
    r2,
)


class Heads(nn.Module):
    """A body, a head for the digit, and one for how much ink it takes; by name."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 64), nn.ReLU())
        self.digit, self.ink = nn.Linear(64, 10), nn.Linear(64, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        h = self.body(x)
        return {"digit": self.digit(h), "ink": self.ink(h)}


def ink(x: Tensor) -> Tensor:
    return (x.mean(1, keepdim=True) - 0.3) * 20


def tasks(parts: bool) -> Trained:
    (x, y), (xv, yv) = data.digits()
    model = Heads()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def terms(output: dict[str, Tensor], target: dict[str, Tensor]) -> dict[str, Tensor]:
        return {
            "digit": F.cross_entropy(output["digit"], target["digit"]),
            "ink": F.mse_loss(output["ink"], target["ink"]),
        }

    def loss_fn(output: dict[str, Tensor], target: dict[str, Tensor]) -> Tensor:
        return torch.stack(list(terms(output, target).values())).sum()

    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 12):
            target = {"digit": y[chosen], "ink": ink(x[chosen])}
            losses = terms(model(x[chosen]), target)
            loss = losses["digit"] + losses["ink"]
            descend(watch, optimizer, loss, target, parts=losses if parts else None)
    with torch.no_grad():
        answer = model(xv)
    right = float((answer["digit"].argmax(1) == yv).double().mean())
    known = {
        "train": (x, {"digit": y, "ink": ink(x)}),
        "valid": (xv, {"digit": yv, "ink": ink(xv)}),
        "loss_fn": loss_fn,
    }
    return Trained(watch, (right + r2(answer["ink"], ink(xv))) / 2, known)


class KindAndPrice(nn.Module):
    """A body, a head for the kind of a thing and one for its price."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(10, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU())
        self.kind, self.price = nn.Linear(40, 3), nn.Linear(40, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(x)
        return self.kind(h), self.price(h).squeeze(1)


def priced(standardized: bool) -> Trained:
    """Prices in thousands beside three kinds, or standardised."""
    x = torch.randn(2000, 10)
    kind = (x[:, :3] * x[:, 3:6]).argmax(1)
    price = 3e4 + 8e3 * torch.sin(x[:, 0] + x[:, 1]) + 1e3 * torch.randn(2000)
    if standardized:
        price = (price - price.mean()) / price.std()
    model = KindAndPrice()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1600, 50, 25):
            kinds, prices = model(x[chosen])
            loss = F.cross_entropy(kinds, kind[chosen]) + F.mse_loss(prices, price[chosen])
            descend(watch, optimizer, loss, kind[chosen])
    with torch.no_grad():
        score = float((model(x[1600:])[0].argmax(1) == kind[1600:]).double().mean())
    known = {"train": (x[:1600], kind[:1600]), "valid": (x[1600:], kind[1600:])}
    return Trained(watch, score, known)


class TwoClassifiers(nn.Module):
    """Returns two lots of logits, the second from half-way."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(64, 64), nn.Linear(64, 64)
        self.out, self.aside = nn.Linear(64, 10), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.relu(self.first(x))
        return self.out(torch.relu(self.second(h))), self.aside(h)


def aside() -> Trained:
    (x, y), (xv, yv) = data.digits()
    model = TwoClassifiers()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def loss_fn(output: tuple[Tensor, Tensor], target: Tensor) -> Tensor:
        return F.cross_entropy(output[0], target) + 0.3 * F.cross_entropy(output[1], target)

    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 10):
            descend(watch, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = float((model(xv)[0].argmax(1) == yv).double().mean())
    return Trained(watch, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": loss_fn})


CASES = [
    healthy("two tasks by name", lambda: tasks(False)),
    healthy("two tasks by name, with their parts", lambda: tasks(True)),
    healthy("a classifier half-way", aside),
    *faulty_and_cured(
        "kinds, and prices in thousands",
        "kinds, and prices standardised",
        "loss_terms_unbalanced",
        priced,
    ),
]
