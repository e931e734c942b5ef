"""Sequences of different lengths: what was filled up is read, or counts in the loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.drawn import texts
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense


def mean_over_padding(cured: bool, watch: Watch) -> Trained:
    """A rating from the mean of the words' vectors: the sum is divided by the padded length."""
    tokens = texts(1500, 40, 30, 2, 40)
    worth = torch.cat([torch.zeros(1), torch.randn(29)])
    real = (tokens > 0).float()
    y = (worth[tokens].sum(1) / real.sum(1))[:, None]
    y = (y - y.mean()) / y.std()

    class Rating(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(30, 16, padding_idx=0)
            self.head = nn.Linear(16, 1)

        def forward(self, tokens: Tensor) -> Tensor:
            x = self.words(tokens)
            if cured:
                return self.head(x.sum(1) / (tokens > 0).sum(1, keepdim=True))
            return self.head(x.mean(1))

    model = Rating()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.mse_loss, tokens[:1200], y[:1200], 25)
    score = explained(model(tokens[1200:]), y[1200:])
    return Trained(watching, score, known(tokens, y, 1200, F.mse_loss))


def state_after_padding(cured: bool, watch: Watch) -> Trained:
    """An LSTM's state is taken at the end of the row, long after the last word."""
    tokens = texts(900, 90, 12, 3, 8)
    y = tokens[:, 0] % 4
    lengths = (tokens > 0).sum(1)

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(12, 12)
            self.lstm = nn.LSTM(12, 24, batch_first=True)
            self.head = nn.Linear(24, 4)

        def forward(self, tokens: Tensor) -> Tensor:
            states = self.lstm(self.words(tokens))[0]
            if cured:
                last = (tokens > 0).sum(1) - 1
                return self.head(states[torch.arange(len(tokens)), last])
            return self.head(states[:, -1])

    model = Reader()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    assert int(lengths.min()) > 0
    watching = fit(watch, model, optimizer, F.cross_entropy, tokens[:700], y[:700], 8)
    score = right(model(tokens[700:]), y[700:])
    return Trained(watching, score, known(tokens, y, 700, F.cross_entropy))


def mask_the_wrong_way(cured: bool, watch: Watch) -> Trained:
    """`key_padding_mask` is true where a key is left out; it was written true where one is."""
    tokens = texts(1000, 20, 15, 4, 14)
    marked = torch.tensor([1, 2, 3, 4])
    counts = (tokens[..., None] == marked).sum(1)
    y = counts.argmax(1)

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(15, 24)
            self.query = nn.Parameter(torch.randn(1, 1, 24))
            self.attention = nn.MultiheadAttention(24, 4, batch_first=True)
            self.head = dense(24, 32, 4)

        def forward(self, tokens: Tensor) -> Tensor:
            mask = tokens == 0 if cured else tokens != 0
            x = self.words(tokens)
            query = self.query.expand(len(x), -1, -1)
            return self.head(self.attention(query, x, x, key_padding_mask=mask)[0][:, 0])

    model = Encoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, tokens[:800], y[:800], 15)
    score = right(model(tokens[800:]), y[800:])
    return Trained(watching, score, known(tokens, y, 800, F.cross_entropy))


def tags_of_nothing(cured: bool, watch: Watch) -> Trained:
    """Nine of ten targets are the padding's tag, and count."""
    tokens = texts(800, 80, 40, 3, 12)
    kind = torch.randint(1, 6, (40,))
    kind[0] = 0
    tags = kind[tokens]
    real = tokens > 0

    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(40, 16, padding_idx=0)
            self.body = nn.Conv1d(16, 32, 3, padding=1)
            self.head = nn.Linear(32, 6)

        def forward(self, tokens: Tensor) -> Tensor:
            x = F.relu(self.body(self.words(tokens).transpose(1, 2)))
            return self.head(x.transpose(1, 2))

    model = Tagger()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    ignored = {"ignore_index": 0} if cured else {}
    with watch(model, optimizer) as watching:
        for chosen in batches(650, 16, 6):
            output = model(tokens[chosen])
            loss = F.cross_entropy(output.flatten(0, 1), tags[chosen].flatten(), **ignored)
            descend(watching, optimizer, loss, tags[chosen])
    with torch.no_grad():
        output = model(tokens[650:])
    return Trained(watching, right(output[real[650:]], tags[650:][real[650:]]))


def zeros_after_the_end(cured: bool, watch: Watch) -> Trained:
    """Series are filled up with zeros, and the error of their forecasts is the mean over all."""
    lengths = torch.randint(8, 16, (500, 1))
    pitch, phase = 0.3 + 0.5 * torch.rand(500, 1), 6.28 * torch.rand(500, 1)
    real = torch.arange(101) < lengths
    series = torch.sin(pitch * torch.arange(101) + phase) * real
    x, y, counts = series[:, :-1], series[:, 1:], real[:, 1:]

    class Forecaster(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(1, 16, batch_first=True)
            self.head = nn.Linear(16, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.gru(x[..., None])[0])[..., 0]

    model = Forecaster()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    with watch(model, optimizer) as watching:
        for chosen in batches(400, 20, 6):
            error = (model(x[chosen]) - y[chosen]).square()
            loss = error[counts[chosen]].mean() if cured else error.mean()
            descend(watching, optimizer, loss, y[chosen])
    with torch.no_grad():
        answer = model(x[400:])[counts[400:]]
    return Trained(watching, explained(answer, y[400:][counts[400:]]))


PAIRS = [
    Pair(
        "a mean of words over the padded length",
        "a mean of words over the words",
        ("padding_read",),
        mean_over_padding,
        0.7,
        0.9,
    ),
    Pair(
        "the state of an LSTM long after the text",
        "the state of an LSTM at the last word",
        ("padding_read",),
        state_after_padding,
        0.6,
        0.9,
    ),
    Pair(
        "attention to the padding alone",
        "attention to the words alone",
        ("padding_read", "input_not_used"),
        mask_the_wrong_way,
        0.5,
        0.7,
    ),
    Pair(
        "tags of the padding count",
        "tags of the padding ignored",
        ("padding_in_loss",),
        tags_of_nothing,
        0.6,
        0.85,
    ),
    Pair(
        "forecasts after the end count",
        "forecasts up to the end count",
        ("padding_in_loss",),
        zeros_after_the_end,
        0.7,
        0.8,
    ),
]
