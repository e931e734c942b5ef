"""The answers do not depend on the input, on a part of it, or on its order."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.drawn import bars
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense


class WhereItIs(nn.Module):
    """Readings of sensors, those that are missing left out."""

    def __init__(self, missing: float) -> None:
        super().__init__()
        self.missing = missing
        self.layers = dense(12, 48, 3)

    def forward(self, x: Tensor) -> Tensor:
        there = (x > self.missing).float()
        kinds: Tensor = self.layers((x + 9) * there)
        return kinds


def nothing_let_through(cured: bool, watch: Watch) -> Trained:
    """Decibels, all below 0; -99 stands for what is missing, and 0 was taken for it."""
    y = torch.randint(3, (1200,))
    x = -9 + 2 * torch.randn(3, 12)[y] + 1.5 * torch.randn(1200, 12)
    x = torch.where(torch.rand_like(x) < 0.1, torch.tensor(-99.0), x.clamp(max=-0.1))
    model = WhereItIs(-99.0 if cured else 0.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:900], y[:900], 8)
    return Trained(watching, right(model(x[900:]), y[900:]), known(x, y, 900, F.cross_entropy))


class SetTransformer(nn.Module):
    """A transformer's encoder over words, with or without their positions."""

    def __init__(self, positions: bool) -> None:
        super().__init__()
        self.words = nn.Embedding(10, 24)
        self.places = nn.Parameter(0.5 * torch.randn(6, 24)) if positions else None
        layer = nn.TransformerEncoderLayer(24, 2, 48, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.answer = nn.Linear(24, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        h = self.words(tokens)
        if self.places is not None:
            h = h + self.places
        answer: Tensor = self.answer(self.encoder(h).mean(1))
        return answer


def no_positions(cured: bool, watch: Watch) -> Trained:
    """Whether the first number is larger than the last."""
    x = torch.randint(10, (1600, 6))
    x[:, -1] = (x[:, 0] + torch.randint(1, 10, (1600,))) % 10
    y = (x[:, 0] > x[:, -1]).long()
    model = SetTransformer(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:1300], y[:1300], 10)
    return Trained(watching, right(model(x[1300:]), y[1300:]), known(x, y, 1300, F.cross_entropy))


class Difference(nn.Module):
    """A number from two digits: of their sum of vectors, or of one after the other."""

    def __init__(self, beside: bool) -> None:
        super().__init__()
        self.beside = beside
        self.digits = nn.Embedding(12, 16)
        self.layers = dense(32 if beside else 16, 48, 1)

    def forward(self, pair: Tensor) -> Tensor:
        h = self.digits(pair)
        number: Tensor = self.layers(h.flatten(1) if self.beside else h.sum(1))
        return number


def sum_of_a_difference(cured: bool, watch: Watch) -> Trained:
    x = torch.randint(12, (1000, 2))
    y = (x[:, :1] - x[:, 1:]).float() / 4
    model = Difference(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.smooth_l1_loss, x[:800], y[:800], 12)
    data = known(x, y, 800, F.smooth_l1_loss)
    return Trained(watching, explained(model(x[800:]), y[800:]), data)


class Matcher(nn.Module):
    """How well a user and an item go together; a slip gives both towers the user."""

    def __init__(self, both: bool) -> None:
        super().__init__()
        self.both = both
        self.user, self.item = dense(6, 32, 8), dense(6, 32, 8)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        a, b = self.user(user), self.item(item if self.both else user)
        return (a * b).sum(1)


def one_input_twice(cured: bool, watch: Watch) -> Trained:
    user, item, tastes = torch.randn(1500, 6), torch.randn(1500, 6), torch.randn(6, 6)
    y = ((user @ tastes) * item).sum(1) / 6
    model = Matcher(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(1200, 40, 15):
            loss = F.mse_loss(model(user[chosen], item[chosen]), y[chosen])
            descend(watching, optimizer, loss, y[chosen])
    data = {
        "train": ((user[:1200], item[:1200]), y[:1200]),
        "valid": ((user[1200:], item[1200:]), y[1200:]),
        "loss_fn": F.mse_loss,
    }
    return Trained(watching, explained(model(user[1200:], item[1200:]), y[1200:]), data)


class ReadsOneState(nn.Module):
    """A GRU, of which the state after the last or after the first step is read."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step
        self.gru, self.number = nn.GRU(2, 24, batch_first=True), nn.Linear(24, 1)

    def forward(self, x: Tensor) -> Tensor:
        number: Tensor = self.number(self.gru(x)[0][:, self.step])
        return number


def first_state(cured: bool, watch: Watch) -> Trained:
    x = torch.randn(1000, 12, 2)
    y = x[:, :, 0].sum(1, keepdim=True) / 3
    model = ReadsOneState(-1 if cured else 0)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:800], y[:800], 12)
    return Trained(watching, explained(model(x[800:]), y[800:]), known(x, y, 800, F.mse_loss))


class Pixels(nn.Module):
    """Bytes brought to 0 … 1, by a division of whole numbers or of others."""

    def __init__(self, whole: bool) -> None:
        super().__init__()
        self.whole = whole
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 4)
        )

    def forward(self, x: Tensor) -> Tensor:
        kinds: Tensor = self.layers((x // 255 if self.whole else x / 255).float())
        return kinds


def whole_numbers(cured: bool, watch: Watch) -> Trained:
    pictures, y = bars(900, noise=0.15)
    x = (60 + 120 * pictures).clamp(0, 254).to(torch.uint8)
    model = Pixels(not cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:700], y[:700], 6)
    return Trained(watching, right(model(x[700:]), y[700:]), known(x, y, 700, F.cross_entropy))


PAIRS = [
    Pair(
        "a mask that lets no reading through",
        "a mask of the readings that there are",
        ("input_not_used",),
        nothing_let_through,
        0.6,
        0.8,
    ),
    Pair(
        "attention without positions, asked for an order",
        "attention with positions, asked for an order",
        ("order_blind",),
        no_positions,
        0.65,
        0.85,
    ),
    Pair(
        "a difference from the sum of two vectors",
        "a difference from two vectors beside each other",
        ("order_blind",),
        sum_of_a_difference,
        0.3,
        0.8,
    ),
    Pair(
        "both towers are given the user",
        "each tower is given its own input",
        ("input_not_used",),
        one_input_twice,
        0.3,
        0.7,
    ),
    Pair(
        "the state after the first step is read",
        "the state after the last step is read",
        ("input_not_used",),
        first_state,
        0.4,
        0.8,
    ),
    Pair(
        "pixels divided as whole numbers",
        "pixels divided as they should be",
        ("input_not_used",),
        whole_numbers,
        0.5,
        0.8,
    ),
]
