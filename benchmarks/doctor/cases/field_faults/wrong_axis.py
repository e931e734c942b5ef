"""The batch taken for the time, or for the classes: one sample's answer hangs on its neighbours."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained
from benchmarks.doctor.cases.field_faults.drawn import clouds
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, fit, known, right
from benchmarks.doctor.networks import dense

WORDS, LENGTH = 8, 6


def recalled(count: int) -> tuple[Tensor, Tensor]:
    """Tokens [count, 6]; the class is that of the first one."""
    tokens = torch.randint(WORDS, (count, LENGTH))
    return tokens, tokens[:, 0] % 4


def classified(watch: Watch, model: nn.Module, epochs: int = 12, lr: float = 4e-3) -> Trained:
    tokens, y = recalled(1000)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    watching = fit(watch, model, optimizer, F.cross_entropy, tokens[:800], y[:800], epochs)
    score = right(model.eval()(tokens[800:]), y[800:])
    return Trained(watching, score, known(tokens, y, 800, F.cross_entropy))


class Encoded(nn.Module):
    """One encoder layer, read at the last token."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, 24)
        self.places = nn.Parameter(0.5 * torch.randn(LENGTH, 24))
        self.layer = nn.TransformerEncoderLayer(24, 3, 48, 0.0, batch_first=batch_first)
        self.head = nn.Linear(24, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.layer(self.words(tokens) + self.places)[:, -1])


def encoder_layer(cured: bool, watch: Watch) -> Trained:
    """`nn.TransformerEncoderLayer` takes the time first unless it is told otherwise."""
    return classified(watch, Encoded(cured), 15)


class Recurrent(nn.Module):
    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, 16)
        self.lstm = nn.LSTM(16, 32, batch_first=batch_first)
        self.head = nn.Linear(32, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.lstm(self.words(tokens))[0][:, -1])


def time_first(cured: bool, watch: Watch) -> Trained:
    """So does `nn.LSTM`."""
    return classified(watch, Recurrent(cured), 15, 8e-3)


class Viewed(nn.Module):
    """A GRU with the time first; the batch is brought there by a view, or by a transposition."""

    def __init__(self, transposed: bool) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, 16)
        self.gru = nn.GRU(16, 32)
        self.head = nn.Linear(32, 4)
        self.transposed = transposed

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.words(tokens)
        x = x.transpose(0, 1) if self.transposed else x.view(LENGTH, len(tokens), 16)
        return self.head(self.gru(x)[0][-1])


def viewed_as_time_first(cured: bool, watch: Watch) -> Trained:
    return classified(watch, Viewed(cured), 12, 8e-3)


class Pooled(nn.Module):
    """Attention that picks the marked token; its weights sum to 1 over the tokens, or the batch."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.words = nn.Embedding(16, 16)
        self.attention = nn.Linear(16, 1)
        self.head = nn.Linear(16, 4)
        self.axis = axis

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.words(tokens)
        weight = self.attention(x).softmax(self.axis)
        return self.head((weight * x).sum(1))


def weights_over_the_batch(cured: bool, watch: Watch) -> Trained:
    """As it is used: a text at a time."""
    tokens = torch.randint(8, (1200, 12))
    y = torch.randint(4, (1200,))
    tokens[torch.arange(1200), torch.randint(12, (1200,))] = 8 + y
    model = Pooled(1 if cured else 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.cross_entropy, tokens[:1000], y[:1000], 10)
    output = torch.cat([model(row[None]) for row in tokens[1000:]])
    return Trained(watching, right(output, y[1000:]), known(tokens, y, 1000, F.cross_entropy))


class Normed(nn.Module):
    """Codes of mean 0 and spread 1: each sample's own, or each feature's over the batch."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.body, self.head = dense(8, 48, 24), nn.Linear(24, 5)
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        codes = self.body(x)
        codes = codes - codes.mean(self.axis, keepdim=True)
        spread = codes.square().mean(self.axis, keepdim=True).sqrt()
        return self.head(codes / (spread + 1e-5))


def standardised_over_the_batch(cured: bool, watch: Watch) -> Trained:
    x, y = clouds(1200, 5, 8)
    model = Normed(1 if cured else 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:1000], y[:1000], 10)
    output = torch.cat([model(row[None]) for row in x[1000:]])
    return Trained(watching, right(output, y[1000:]), known(x, y, 1000, F.cross_entropy))


PAIRS = [
    Pair(
        "an encoder layer that attends along the batch",
        "an encoder layer that attends along the tokens",
        ("samples_mixed",),
        encoder_layer,
        0.5,
        0.85,
    ),
    Pair(
        "an LSTM that runs along the batch",
        "an LSTM that runs along the tokens",
        ("samples_mixed",),
        time_first,
        0.5,
        0.85,
    ),
    Pair(
        "time brought first by a view",
        "time brought first by a transposition",
        ("samples_mixed", "inputs_scrambled"),
        viewed_as_time_first,
        0.5,
        0.85,
    ),
    Pair(
        "weights of tokens that sum to one over the batch",
        "weights of tokens that sum to one over the tokens",
        ("samples_mixed",),
        weights_over_the_batch,
        0.8,
        0.9,
    ),
    Pair(
        "codes standardised over the batch",
        "codes standardised each",
        ("samples_mixed",),
        standardised_over_the_batch,
        0.8,
        0.88,
    ),
]
