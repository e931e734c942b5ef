"""Tokens and padding."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.drawn import texts
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right


def keywords(count: int, length: int, longest: int = 8) -> tuple[Tensor, Tensor]:
    """Texts with one of the words 1, 2, 3 among others from 4 on; which of them is the class."""
    x = texts(count, length, 30, 4, longest)
    x = torch.where(x > 0, x.clamp(min=4), x)
    y = torch.randint(3, (count,))
    place = (torch.rand(count) * (x > 0).sum(1)).long()
    x[torch.arange(count), place] = 1 + y
    return x, y


class MeanOfWords(nn.Module):
    """The mean of convolved word vectors, over the words or over all places."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.masked = masked
        self.embedding = nn.Embedding(30, 16)
        self.convolution = nn.Conv1d(16, 24, 3, padding=1)
        self.topic = nn.Linear(24, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        h = F.relu(self.convolution(self.embedding(tokens).transpose(1, 2)))
        if self.masked:
            here = (tokens != 0)[:, None].float()
            h = (h * here).sum(2) / here.sum(2)
        else:
            h = h.mean(2)
        topics: Tensor = self.topic(h)
        return topics


def mean_over_padding(cured: bool, watch: Watch) -> Trained:
    x, y = keywords(1100, 160)
    model = MeanOfWords(cured)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.8)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:800], y[:800], 6)
    return Trained(watching, right(model(x[800:]), y[800:]), known(x, y, 800, F.cross_entropy))


class LastState(nn.Module):
    """A number from an LSTM's last state, after the last word or after the last place."""

    def __init__(self, packed: bool) -> None:
        super().__init__()
        self.packed = packed
        self.embedding = nn.Embedding(20, 12, padding_idx=0)
        self.lstm = nn.LSTM(12, 24, batch_first=True)
        self.number = nn.Linear(24, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        words = self.embedding(tokens)
        if self.packed:
            lengths = (tokens != 0).sum(1)
            words = pack_padded_sequence(words, lengths, batch_first=True, enforce_sorted=False)
        _, (last, _) = self.lstm(words)
        number: Tensor = self.number(last[-1]).squeeze(1)
        return number


def state_after_padding(cured: bool, watch: Watch) -> Trained:
    x = texts(900, 100, 20, 2, 6)
    worth = torch.randn(20)
    worth[0] = 0
    y = worth[x].sum(1)
    model = LastState(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:700], y[:700], 8, 50)
    return Trained(watching, explained(model(x[700:]), y[700:]), known(x, y, 700, F.mse_loss))


class Smoother(nn.Module):
    """A number for each place of a series, by convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv1d(16, 1, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x[:, None])[:, 0]
        return y


def zeros_counted(cured: bool, watch: Watch) -> Trained:
    """Series of 4 to 10 values in 200 places; the mean square error is taken over all of them."""
    here = torch.arange(200) < torch.randint(4, 11, (700, 1))
    x = torch.randn(700, 200) * here
    y = (x * F.pad(x[:, :-1], (1, 0))).masked_fill(~here, 0)
    model = Smoother()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with watch(model, optimizer) as watching:
        for chosen in batches(600, 25, 5):
            error = (model(x[chosen]) - y[chosen]).square()
            loss = error[here[chosen]].mean() if cured else error.mean()
            descend(watching, optimizer, loss, y[chosen])
    answer, truth = model(x[600:])[here[600:]], y[600:][here[600:]]
    return Trained(watching, explained(answer, truth), known(x, y, 600))


class MaskedAttention(nn.Module):
    """Attention of one question over the words; the mask is True where a key is left out."""

    def __init__(self, inverted: bool) -> None:
        super().__init__()
        self.inverted = inverted
        self.embedding = nn.Embedding(30, 16)
        self.question = nn.Parameter(torch.randn(1, 1, 16))
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.topic = nn.Linear(16, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        h = self.embedding(tokens)
        mask = tokens != 0 if self.inverted else tokens == 0
        h, _ = self.attention(self.question.expand(len(h), 1, 16), h, h, key_padding_mask=mask)
        topics: Tensor = self.topic(h[:, 0])
        return topics


def mask_inverted(cured: bool, watch: Watch) -> Trained:
    x, y = keywords(1200, 14)
    model = MaskedAttention(not cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:900], y[:900], 12)
    return Trained(watching, right(model(x[900:]), y[900:]), known(x, y, 900, F.cross_entropy))


def padding_predicted(cured: bool, watch: Watch) -> Trained:
    """A language model of short sentences in 80 places; the target is padding in most of them."""
    after = torch.cat([torch.zeros(1, dtype=torch.long), 1 + torch.randperm(24)])
    lengths = torch.randint(4, 9, (800, 1))
    x = torch.randint(1, 25, (800, 80))
    for t in range(1, 9):
        x[:, t] = after[x[:, t - 1]]
    x = x * (torch.arange(80) < lengths)
    tokens, y = x[:, :-1], x[:, 1:]
    model = nn.Sequential(nn.Embedding(25, 24), nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 25))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    criterion = nn.CrossEntropyLoss(ignore_index=0) if cured else nn.CrossEntropyLoss()
    with watch(model, optimizer) as watching:
        for chosen in batches(700, 25, 3):
            loss = criterion(model(tokens[chosen]).flatten(0, 1), y[chosen].flatten())
            descend(watching, optimizer, loss, y[chosen])

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        return criterion(output.transpose(1, 2), target)

    word = y[700:] != 0
    score = right(model(tokens[700:])[word], y[700:][word])
    return Trained(watching, score, known(tokens, y, 700, loss_fn))


PAIRS = [
    Pair(
        "mean of word vectors over 95 % padding",
        "mean of word vectors over the words",
        ("padding_read", "signal_vanishes"),
        mean_over_padding,
        0.75,
        0.9,
    ),
    Pair(
        "LSTM's state after 95 places of padding",
        "LSTM over packed words",
        ("padding_read", "signal_vanishes", "vanishing_gradient"),
        state_after_padding,
        0.4,
        0.7,
    ),
    Pair(
        "square error of series over their padding",
        "square error of series where they are",
        ("padding_in_loss",),
        zeros_counted,
        0.4,
        0.6,
    ),
    Pair(
        "attention with the mask of padding inverted",
        "attention with the mask of padding",
        ("padding_read", "input_not_used"),
        mask_inverted,
        0.5,
        0.8,
    ),
    Pair(
        "language model that learns to pad",
        "language model that learns the words",
        ("padding_in_loss", "class_imbalance"),
        padding_predicted,
        0.5,
        0.8,
    ),
]
