"""Attention: masks the wrong way round, the wrong axis, places without a mark, batches for time."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, accuracy
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, fit, known

WORDS, LENGTH = 12, 10


def reviews(count: int) -> tuple[Tensor, Tensor]:
    """Words [N, 10], filled up with 0, and whether words of one half are more than of the other."""
    tokens = torch.randint(1, WORDS, (count, LENGTH))
    long = torch.randint(3, 7, (count, 1))
    tokens = tokens * (torch.arange(LENGTH) < long)
    good, bad = (tokens > 6).sum(1), ((tokens > 0) & (tokens < 6)).sum(1)
    return tokens, (good > bad).long()


class Reader(nn.Module):
    """An embedding, one layer of attention, a mean over the words that are there."""

    def __init__(self, inverted: bool = False, batch_first: bool = True, outputs: int = 2) -> None:
        super().__init__()
        self.table = nn.Embedding(WORDS, 24, padding_idx=0)
        self.attention = nn.MultiheadAttention(24, 2, batch_first=batch_first)
        self.head = nn.Linear(24, outputs)
        self.inverted = inverted

    def forward(self, tokens: Tensor) -> Tensor:
        there = tokens > 0
        x = self.table(tokens)
        h = self.attention(x, x, x, key_padding_mask=there if self.inverted else ~there)[0]
        return self.head((h * there[..., None]).sum(1) / there.sum(1, keepdim=True))


def taught(
    watch: Watch, model: nn.Module, x: Any, y: Tensor, epochs: int = 10, lr: float = 5e-3
) -> Trained:
    """With Adam on three quarters of the samples."""
    count = 3 * len(y) // 4
    optimizer = torch.optim.Adam(model.parameters(), lr)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:count], y[:count], epochs)
    score = accuracy(model, x[count:], y[count:])
    return Trained(watching, score, known(x, y, count, F.cross_entropy))


def mask_inverted(cured: bool, watch: Watch) -> Trained:
    """`key_padding_mask` is given True where there is a word: only padding is read."""
    x, y = reviews(800)
    return taught(watch, Reader(inverted=not cured), x, y, 8)


class Pairs(nn.Module):
    """Attention by hand; `axis` is that of the softmax, `factor` what the likeness is times."""

    def __init__(self, axis: int = -1, factor: float = 0.2, places: bool = True) -> None:
        super().__init__()
        self.table = nn.Embedding(WORDS, 24)
        self.place = nn.Parameter(0.5 * torch.randn(LENGTH, 24)) if places else None
        self.qkv, self.head = nn.Linear(24, 72), nn.Linear(24, 2)
        self.axis, self.factor = axis, factor

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.table(tokens)
        x = x if self.place is None else x + self.place
        q, k, v = self.qkv(x).chunk(3, -1)
        weight = (q @ k.transpose(1, 2) * self.factor).softmax(self.axis)
        return self.head(F.relu(weight @ v + x).mean(1))


def first_before_last(count: int) -> tuple[Tensor, Tensor]:
    """Whether the one 1 stands before the one 2: [N, 10] of words."""
    tokens = torch.randint(3, WORDS, (count, LENGTH))
    at = torch.stack([torch.randperm(LENGTH)[:2] for _ in range(count)])
    rows = torch.arange(count)
    tokens[rows, at[:, 0]], tokens[rows, at[:, 1]] = 1, 2
    return tokens, (at[:, 0] < at[:, 1]).long()


def places_unmarked(cured: bool, watch: Watch) -> Trained:
    x, y = first_before_last(800)
    return taught(watch, Pairs(places=cured), x, y, 15)


def softmax_over_the_batch(cured: bool, watch: Watch) -> Trained:
    """The weights of a sentence compete with those of the other sentences."""
    x, y = first_before_last(800)
    model = Pairs(axis=-1 if cured else 0, factor=1.0)
    trained = taught(watch, model, x, y, 12)
    model.eval()
    with torch.no_grad():
        alone = torch.cat([model(row[None]) for row in x[600:]])
    score = float((alone.argmax(1) == y[600:]).double().mean())
    return Trained(trained.watch, score, trained.data)


def batch_taken_for_time(cured: bool, watch: Watch) -> Trained:
    """`batch_first` is left out: each word attends to the same place of other sentences."""

    class Counter(nn.Module):
        """The first word asks whether a certain one is among the others."""

        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(WORDS, 32)
            self.attention = nn.MultiheadAttention(32, 4, batch_first=cured)
            self.head = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))

        def forward(self, tokens: Tensor) -> Tensor:
            x = self.table(tokens)
            return self.head(self.attention(x, x, x)[0][:, 0])

    tokens = torch.randint(1, WORDS, (900, 6))
    y = (tokens[:, 1:] == 5).any(1).long()
    tokens[:, 0] = 0
    return taught(watch, Counter(), tokens, y, 12)


def likeness_too_large(cured: bool, watch: Watch) -> Trained:
    """The likeness is multiplied by the width, not divided by its root: the softmax is 0 or 1."""
    x, y = first_before_last(800)
    model = Pairs(factor=24**-0.5 if cured else 24.0**2)
    return taught(watch, model, x, y, 12, 3e-3)


PAIRS = [
    Pair(
        "a mask that hides the words",
        "a mask that hides the padding",
        ("padding_read", "input_not_used"),
        mask_inverted,
        0.75,
        0.85,
    ),
    Pair(
        "places that nothing marks",
        "places that are marked",
        ("order_blind",),
        places_unmarked,
        0.65,
        0.85,
    ),
    Pair(
        "attention over the other sentences",
        "attention over the sentence",
        ("samples_mixed",),
        softmax_over_the_batch,
        0.7,
        0.85,
    ),
    Pair(
        "sentences taken for time",
        "sentences taken for a batch",
        ("samples_mixed", "input_not_used"),
        batch_taken_for_time,
        0.8,
        0.9,
    ),
    Pair(
        "likeness times the width",
        "likeness by the width's root",
        ("saturated_units", "vanishing_gradient", "signal_explodes"),
        likeness_too_large,
        0.8,
        0.85,
    ),
]
