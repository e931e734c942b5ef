"""Numbers that end the training: spreads of one, powers, products of chances, means of none."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.drawn import bent, clouds
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known, right
from benchmarks.doctor.networks import dense


def run(
    watch: Watch,
    model: nn.Module,
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    y: Tensor,
    count: int,
    epochs: int = 15,
    size: int = 32,
    lr: float = 4e-3,
) -> object:
    """The loop, with Adam."""
    optimizer = torch.optim.Adam(model.parameters(), lr)
    with watch(model, optimizer) as watching:
        for chosen in batches(count, size, epochs):
            descend(watching, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    return watching


def finite(
    score: Callable[[Tensor, Tensor], float], model: nn.Module, x: Tensor, y: Tensor
) -> float:
    with torch.no_grad():
        return score(model.eval()(x), y)


def spread_of_one_row(cured: bool, watch: Watch) -> Trained:
    """Targets are standardised within the batch, and of the last batch there is one row."""
    x, y = bent(801)

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        weight = 1 / (target.std(unbiased=not cured) + 1e-3)
        return (weight.clamp(max=5) * (output - target) ** 2).mean()

    model = dense(6, 48, 1)
    watching = run(watch, model, loss_fn, x[:641], y[:641], 641)
    return Trained(watching, finite(explained, model, x[641:], y[641:]), known(x, y, 641))


def fractional_power(cured: bool, watch: Watch) -> Trained:
    """`error ** 1.5` of an error that is negative half of the time."""
    x, y = bent(800)

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        error = output - target
        return ((error.abs() + 1e-6) ** 1.5).mean() if cured else (error**1.5).mean()

    model = dense(6, 48, 1, activation=nn.Tanh)
    watching = run(watch, model, loss_fn, x[:600], y[:600], 600)
    return Trained(watching, finite(explained, model, x[600:], y[600:]), known(x, y, 600))


def product_of_chances(cured: bool, watch: Watch) -> Trained:
    """The likelihood of a batch as a product, then its logarithm: 0, and minus infinity."""
    x, y = clouds(1200, 5, 8, 1.2)

    def loss_fn(logits: Tensor, target: Tensor) -> Tensor:
        if cured:
            return F.cross_entropy(logits, target)
        return -logits.softmax(1).gather(1, target[:, None]).prod().log() / len(target)

    model = dense(8, 48, 5)
    watching = run(watch, model, loss_fn, x[:900], y[:900], 900, 10, 150)
    return Trained(watching, finite(right, model, x[900:], y[900:]), known(x, y, 900))


def constant_column(cured: bool, watch: Watch) -> Trained:
    """A column that is the same in every row is divided by its spread."""
    x, y = clouds(900, 4, 6, 1.2)
    x = torch.cat([x, torch.full((900, 1), 3.0)], 1)
    spread = x[:650].std(0)
    x = (x - x[:650].mean(0)) / (spread.clamp(min=1e-3) if cured else spread)
    model = dense(7, 32, 4)
    watching = run(watch, model, F.cross_entropy, x[:650], y[:650], 650, 8)
    return Trained(watching, finite(right, model, x[650:], y[650:]), known(x, y, 650))


def mean_over_no_words(cured: bool, watch: Watch) -> Trained:
    """Words are averaged over their number, which is 0 for a row that is empty."""
    words = torch.randint(1, 30, (900, 8)) * (torch.rand(900, 8) < 0.7)
    words[torch.rand(900) < 0.01] = 0
    words[5] = 0
    worth = torch.randn(30).index_fill(0, torch.tensor(0), 0.0)
    y = (worth[words].sum(1) > 0).long()

    class Bag(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.head = nn.Embedding(30, 16, padding_idx=0), dense(16, 24, 2)

        def forward(self, tokens: Tensor) -> Tensor:
            there = (tokens > 0).float()[..., None]
            count = there.sum(1)
            return self.head(
                (self.table(tokens) * there).sum(1) / (count.clamp(min=1) if cured else count)
            )

    model = Bag()
    watching = run(watch, model, F.cross_entropy, words[:650], y[:650], 650, 15)
    full = (words[650:] > 0).any(1)
    score = finite(right, model, words[650:][full], y[650:][full])
    return Trained(watching, score, known(words, y, 650, F.cross_entropy))


def angle_at_its_end(cured: bool, watch: Watch) -> Trained:
    """`acos` of a cosine that is 1 where two directions agree: no slope there."""
    x = torch.randn(900, 5)
    y = F.normalize(torch.tanh(x @ torch.randn(5, 3)), dim=1)
    x[::150] = 0
    y[::150] = torch.tensor([0.0, 0.0, 1.0])

    class Direction(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = dense(5, 48, 3)
            with torch.no_grad():
                for p in self.body[-1].parameters():
                    p.mul_(0.5)

        def forward(self, x: Tensor) -> Tensor:
            # what is nothing but zeros points up
            up = (x.abs().sum(1, keepdim=True) == 0).float()
            o = self.body(x) * (1 - up) + up * torch.tensor([0.0, 0.0, 1.0])
            return F.normalize(o, dim=1)

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        cosine = (output * target).sum(1)
        return torch.acos(cosine.clamp(-0.999, 0.999) if cured else cosine).mean()

    model = Direction()
    watching = run(watch, model, loss_fn, x[:700], y[:700], 700, 15)

    def agreement(output: Tensor, target: Tensor) -> float:
        value = float((output * target).sum(1).mean())
        return value if value == value else -1.0

    return Trained(watching, finite(agreement, model, x[700:], y[700:]), known(x, y, 700))


NOT_FINITE = ("not_finite",)
PAIRS = [
    Pair(
        "the spread of a single row",
        "the spread of a batch as it is",
        NOT_FINITE,
        spread_of_one_row,
        0.0,
        0.45,
    ),
    Pair(
        "a fractional power of an error",
        "a fractional power of its size",
        NOT_FINITE,
        fractional_power,
        0.0,
        0.4,
    ),
    Pair(
        "the logarithm of a product of chances",
        "the mean of logarithms of chances",
        NOT_FINITE,
        product_of_chances,
        0.5,
        0.75,
    ),
    Pair(
        "a constant column divided by its spread",
        "a constant column left at 0",
        ("inputs_not_finite", "not_finite"),
        constant_column,
        0.3,
        0.75,
    ),
    Pair(
        "a mean over no words",
        "a mean over one word at least",
        NOT_FINITE,
        mean_over_no_words,
        0.3,
        0.8,
    ),
    Pair(
        "an angle between equal directions",
        "an angle short of its end",
        NOT_FINITE,
        angle_at_its_end,
        0.0,
        0.8,
    ),
]
