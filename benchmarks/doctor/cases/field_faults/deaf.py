"""Answers that hang on none of the input, on a part of it alone, or not on its order."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained
from benchmarks.doctor.cases.field_faults.drawn import bars, bent
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense


def overwritten(cured: bool, watch: Watch) -> Trained:
    """The state that is given back is the one that the loop began with."""
    x = torch.randn(1200, 8, 3)
    y = torch.tanh(x[:, :, 0]).sum(1, keepdim=True) + x[:, -1, 1:2]

    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.GRUCell(3, 24)
            self.head = nn.Linear(24, 1)

        def forward(self, x: Tensor) -> Tensor:
            start = x.new_zeros(len(x), 24)
            state = start
            for t in range(x.shape[1]):
                state = self.cell(x[:, t], state)
            return self.head(state if cured else start)

    model = Own()
    optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:1000], y[:1000], 12)
    score = explained(model(x[1000:]), y[1000:])
    return Trained(watching, score, known(x, y, 1000, F.mse_loss))


class Placed(nn.Module):
    """Attention over tokens, with their places or without."""

    def __init__(self, placed: bool) -> None:
        super().__init__()
        self.words = nn.Embedding(6, 24)
        self.places = nn.Parameter(0.5 * torch.randn(8, 24)) if placed else 0.0
        self.layer = nn.TransformerEncoderLayer(24, 3, 48, 0.0, batch_first=True)
        self.head = nn.Linear(24, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.layer(self.words(tokens) + self.places).mean(1))


def no_places(cured: bool, watch: Watch) -> Trained:
    """Is the 1 before the 2?"""
    tokens = torch.randint(3, 6, (1200, 8))
    first = torch.stack([torch.randperm(8)[:2].sort().values for _ in range(1200)])
    y = torch.randint(2, (1200,))
    tokens[torch.arange(1200), first[:, 0]] = 1 + y
    tokens[torch.arange(1200), first[:, 1]] = 2 - y
    model = Placed(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, tokens[:1000], y[:1000], 10)
    score = right(model.eval()(tokens[1000:]), y[1000:])
    return Trained(watching, score, known(tokens, y, 1000, F.cross_entropy))


def words_summed(cured: bool, watch: Watch) -> Trained:
    """Numbers are compared, digit by digit, by a network that adds up their digits' vectors."""
    digits = torch.randint(5, (1500, 6))
    weight = torch.tensor([25, 5, 1])
    y = ((digits[:, :3] * weight).sum(1) > (digits[:, 3:] * weight).sum(1)).long()

    class Adder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(5, 8)
            self.head = dense(48 if cured else 8, 48, 2)

        def forward(self, digits: Tensor) -> Tensor:
            x = self.words(digits)
            return self.head(x.flatten(1) if cured else x.sum(1))

    model = Adder()
    optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, digits[:1200], y[:1200], 15)
    score = right(model(digits[1200:]), y[1200:])
    return Trained(watching, score, known(digits, y, 1200, F.cross_entropy))


class Asked(nn.Module):
    """A picture, and a number that says which of two questions is put."""

    def __init__(self, used: bool) -> None:
        super().__init__()
        self.picture = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten())
        self.question = nn.Embedding(2, 32)
        self.body, self.head = nn.Linear(8 * 36, 32), nn.Linear(32, 4)
        self.used = used

    def forward(self, picture: Tensor, question: Tensor) -> Tensor:
        x = self.body(self.picture(picture))
        asked = self.question(question)
        mixed = x + asked
        return self.head(F.relu(mixed if self.used else x))


def question_left_out(cured: bool, watch: Watch) -> Trained:
    """The second input is embedded, added, and the sum forgotten."""
    pictures, kind = bars(1300)
    question = torch.randint(2, (1300,))
    y = torch.where(question == 0, kind, 3 - kind)
    model = Asked(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for _ in range(6):
            for chosen in torch.randperm(1000).split(32):
                loss = F.cross_entropy(model(pictures[chosen], question[chosen]), y[chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watching.step(loss, target=y[chosen])
    score = right(model(pictures[1000:], question[1000:]), y[1000:])
    return Trained(watching, score)


def columns_never_reached(cured: bool, watch: Watch) -> Trained:
    """Of eight columns the slice takes the first two; the answer hangs on others too."""
    x, y = bent(1500, 8)

    class Sliced(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wide, self.deep = nn.Linear(2, 1), dense(6 if cured else 2, 48, 1)

        def forward(self, x: Tensor) -> Tensor:
            rest = x[:, 2:] if cured else x[:, :2]
            return self.wide(x[:, :2]) + self.deep(rest)

    y = y + x[:, 4:5] * x[:, 5:6] - torch.sin(2 * x[:, :1]) - x[:, 1:2] * x[:, 2:3]
    model = Sliced()
    optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:1200], y[:1200], 20)
    score = explained(model(x[1200:]), y[1200:])
    return Trained(watching, score, known(x, y, 1200, F.mse_loss))


PAIRS = [
    Pair(
        "the first state for the last",
        "the last state",
        ("input_not_used", "parameters_not_updated"),
        overwritten,
        0.2,
        0.8,
    ),
    Pair(
        "which word is first, without places",
        "which word is first, with places",
        ("order_blind",),
        no_places,
        0.65,
        0.85,
    ),
    Pair(
        "digits compared by their sum",
        "digits compared by their places",
        ("order_blind",),
        words_summed,
        0.65,
        0.85,
    ),
    Pair(
        "a question embedded and forgotten",
        "a question embedded and used",
        ("input_not_used", "parameters_not_updated"),
        question_left_out,
        0.65,
        0.85,
    ),
    Pair(
        "columns that the slice leaves out",
        "all columns",
        ("input_not_used",),
        columns_never_reached,
        0.4,
        0.7,
    ),
]
