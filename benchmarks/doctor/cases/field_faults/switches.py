"""Dropout that is never off, norms that stay in the wrong mode."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.drawn import bars, clouds
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known, right
from benchmarks.doctor.networks import dense


def classified(
    watch: Watch, model: nn.Module, x: Tensor, y: Tensor, count: int, epochs: int
) -> Trained:
    """Trained as usual, with an evaluation after each epoch, and judged in evaluation mode."""
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    with watch(model, optimizer) as watching:
        for _ in range(epochs):
            model.train()
            for chosen in torch.randperm(count).split(32):
                descend(
                    watching, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen]
                )
            model.eval()
            with torch.no_grad():
                model(x[count:])
    score = right(model.eval()(x[count:]), y[count:])
    return Trained(watching, score, known(x, y, count, F.cross_entropy))


class Functional(nn.Module):
    """`training=self.train` is a method, and so always true."""

    def __init__(self, cured: bool) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(12, 64), nn.Linear(64, 8)
        self.cured = cured

    def forward(self, x: Tensor) -> Tensor:
        training = self.training if self.cured else bool(self.train)
        return self.second(F.dropout(F.relu(self.first(x)), 0.88, training=training))


def a_method_for_a_flag(cured: bool, watch: Watch) -> Trained:
    x, y = clouds(1500, 8, 12, apart=1.3)
    return classified(watch, Functional(cured), x, y, 1200, 12)


class Listed(nn.Module):
    """Dropout and its layer in a list of functions: eval() does not reach it."""

    def __init__(self, cured: bool) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 24)
        self.gru = nn.GRU(24, 32, batch_first=True)
        self.head = nn.Linear(32, 4)
        dropout = nn.Dropout(0.92)
        if cured:
            self.dropout = dropout
        self.after = [torch.tanh, dropout]

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.gru(self.words(tokens))[0].mean(1)
        for function in self.after:
            x = function(x)
        return self.head(x)


def dropout_in_a_list(cured: bool, watch: Watch) -> Trained:
    tokens = torch.randint(4, 20, (1000, 10))
    y = torch.randint(4, (1000,))
    tokens[torch.arange(1000), torch.randint(10, (1000,))] = y
    return classified(watch, Listed(cured), tokens, y, 800, 12)


class Still(nn.Module):
    """A norm whose running statistics do not move, on features far from 0."""

    def __init__(self, momentum: float) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8, momentum=momentum)
        self.head = dense(8 * 64, 24, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.relu(self.norm(self.convolution(10 * x + 30))).flatten(1))


def statistics_that_stay(cured: bool, watch: Watch) -> Trained:
    x, y = bars(1000)
    return classified(watch, Still(0.1 if cured else 0.0), x, y, 800, 6)


def judged_in_training_mode(cured: bool, watch: Watch) -> Trained:
    """What comes in to be judged is of one kind at a time, and the norm takes its statistics."""
    x, y = clouds(1500, 5, 8, apart=1.4)
    model = nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 5))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    order = 1200 + y[1200:].argsort()
    with watch(model, optimizer) as watching:
        for _ in range(8):
            model.train()
            for chosen in torch.randperm(1200).split(40):
                descend(
                    watching, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen]
                )
            model.train(not cured)
            with torch.no_grad():
                parts = [model(x[part]) for part in order.split(20)]
    model.train(not cured)
    with torch.no_grad():
        parts = [model(x[part]) for part in order.split(20)]
    return Trained(watching, right(torch.cat(parts), y[order]), known(x, y, 1200, F.cross_entropy))


class OwnNorm(nn.Module):
    """F.batch_norm without running statistics: a single sample has no spread to be divided by."""

    def __init__(self, cured: bool) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 32), nn.Linear(32, 1)
        self.register_buffer("mean", torch.zeros(32))
        self.register_buffer("variance", torch.ones(32))
        self.cured = cured

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        training = self.training if self.cured else True
        x = F.batch_norm(x, self.mean, self.variance, training=training)
        return self.second(torch.tanh(x))


def a_norm_that_is_always_training(cured: bool, watch: Watch) -> Trained:
    """In use, three samples come at a time."""
    x = torch.randn(1500, 8)
    y = torch.sin(x[:, :1] + x[:, 1:2]) + x[:, 2:3]
    model = OwnNorm(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
    with watch(model, optimizer) as watching:
        for _ in range(15):
            model.train()
            for chosen in torch.randperm(1200).split(40):
                descend(watching, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
            model.eval()
            with torch.no_grad():
                model(x[1200:])
    model.eval()
    with torch.no_grad():
        answer = torch.cat([model(part) for part in x[1200:].split(3)])
    return Trained(watching, explained(answer, y[1200:]), known(x, y, 1200, F.mse_loss))


def never_back_to_training(cured: bool, watch: Watch) -> Trained:
    """eval() before the first step, and no train() after it: the norm divides by nothing."""
    x, y = bars(1000)
    x = 40 * x + 100
    model = nn.Sequential(
        nn.BatchNorm2d(1), nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Flatten(), nn.Linear(8 * 64, 4),
    )  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    with watch(model, optimizer) as watching:
        model.eval()
        with torch.no_grad():
            model(x[800:])
        for chosen in batches(800, 32, 6):
            model.train(cured)
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            descend(watching, optimizer, loss, y[chosen])
    score = right(model.eval()(x[800:]), y[800:])
    return Trained(watching, score, known(x, y, 800, F.cross_entropy))


PAIRS = [
    Pair(
        "the method train for the flag training",
        "the flag training",
        ("mode_mismatch",),
        a_method_for_a_flag,
        0.89,
        0.92,
    ),
    Pair(
        "dropout in a list of functions",
        "dropout in a list and in the network",
        ("mode_mismatch",),
        dropout_in_a_list,
        0.85,
        0.9,
    ),
    Pair(
        "running statistics without momentum",
        "running statistics that move",
        ("mode_mismatch",),
        statistics_that_stay,
        0.88,
        0.9,
    ),
    Pair(
        "one kind at a time judged in training mode",
        "one kind at a time judged in evaluation mode",
        ("mode_mismatch",),
        judged_in_training_mode,
        0.75,
        0.85,
    ),
    Pair(
        "a functional norm that always trains",
        "a functional norm that is told the mode",
        ("mode_mismatch", "samples_mixed"),
        a_norm_that_is_always_training,
        0.6,
        0.85,
    ),
    Pair(
        "evaluation mode from the first step on",
        "training mode from the first step on",
        ("mode_mismatch", "inputs_unscaled"),
        never_back_to_training,
        0.6,
        0.9,
    ),
]
