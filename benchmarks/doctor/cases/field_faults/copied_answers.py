"""The answer stands among the inputs: the loss falls, and what is learned is of no use."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense

WORDS, LENGTH = 6, 12


def sums(count: int, length: int) -> Tensor:
    """Tokens [count, length], nine of ten of which follow from the two before."""
    after = torch.randperm(WORDS)
    tokens = torch.randint(WORDS, (count, length))
    for t in range(2, length):
        follows = torch.rand(count) < 0.9
        next_one = after[(tokens[:, t - 1] + tokens[:, t - 2]) % WORDS]
        tokens[:, t] = torch.where(follows, next_one, tokens[:, t])
    return tokens


class Encoder(nn.Module):
    def __init__(self, causal: bool) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, 24)
        self.places = nn.Parameter(0.3 * torch.randn(LENGTH, 24))
        layer = nn.TransformerEncoderLayer(24, 3, 48, 0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(24, WORDS)
        self.causal = causal

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length) if self.causal else None
        x = self.words(tokens) + self.places[:length]
        return self.head(self.layers(x, mask=mask))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, 16)
        self.gru = nn.GRU(16, 24, batch_first=True)
        self.head = nn.Linear(24, WORDS)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.gru(self.words(tokens))[0])


def next_word(watch: Watch, model: nn.Module, shift: int = 1) -> Trained:
    """Learned at every place at once; judged by the word after a text of six."""
    tokens = sums(1200, LENGTH + 1)
    x, y = tokens[:, :LENGTH], tokens[:, shift : LENGTH + shift]
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output.flatten(0, 1), target.flatten())

    watching = fit(watch, model, optimizer, loss_fn, x[:1000], y[:1000], 8)
    with torch.no_grad():
        score = right(model.eval()(x[1000:, :6])[:, -1], tokens[1000:, 6])
    return Trained(watching, score, known(x, y, 1000, loss_fn))


def without_a_causal_mask(cured: bool, watch: Watch) -> Trained:
    return next_word(watch, Encoder(cured))


def labels_not_shifted(cured: bool, watch: Watch) -> Trained:
    return next_word(watch, Recurrent(), 1 if cured else 0)


class Filters(nn.Module):
    """Convolutions over time, padded on both sides, or before only."""

    def __init__(self, causal: bool) -> None:
        super().__init__()
        self.first, self.second = nn.Conv1d(1, 24, 5), nn.Conv1d(24, 1, 5)
        self.sides = (4, 0) if causal else (2, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(F.pad(x[:, None], self.sides)))
        return self.second(F.pad(x, self.sides))[:, 0]


def padded_on_both_sides(cured: bool, watch: Watch) -> Trained:
    """Each value's successor is to be foretold; judged at the end of what is known."""
    series = torch.zeros(600, 41)
    series[:, :2] = torch.randn(600, 2)
    for t in range(2, 41):
        series[:, t] = 1.4 * series[:, t - 1] - 0.8 * series[:, t - 2] + 0.3 * torch.randn(600)
    x, y = series[:, :-1], series[:, 1:]
    model = Filters(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:500], y[:500], 15)
    with torch.no_grad():
        score = explained(model(x[500:])[:, -1], y[500:, -1])
    return Trained(watching, score, known(x, y, 500, F.mse_loss))


def decoder_sees_its_answer(cured: bool, watch: Watch) -> Trained:
    """A decoder is to be given the word before; it was given the word it is to say."""
    source = torch.randint(1, WORDS, (900, 4))
    target = source.flip(1)
    before = torch.cat([torch.zeros(900, 1, dtype=torch.long), target[:, :-1]], 1)

    class Translator(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(WORDS, 24)
            self.encoder = nn.GRU(24, 48, batch_first=True)
            self.decoder = nn.GRU(24, 48, batch_first=True)
            self.head = nn.Linear(48, WORDS)

        def forward(self, source: Tensor, words: Tensor) -> Tensor:
            state = self.encoder(self.words(source))[1]
            return self.head(self.decoder(self.words(words), state)[0])

    model = Translator()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    fed = before if cured else target
    with watch(model, optimizer) as watching:
        for chosen in batches(700, 25, 20):
            output = model(source[chosen], fed[chosen])
            loss = F.cross_entropy(output.flatten(0, 1), target[chosen].flatten())
            descend(watching, optimizer, loss, target[chosen])
    words = torch.zeros(200, 1, dtype=torch.long)
    with torch.no_grad():
        for _ in range(4):
            words = torch.cat([words, model(source[700:], words)[:, -1:].argmax(-1)], 1)
    return Trained(watching, float((words[:, 1:] == target[700:]).double().mean()))


def settled_afterwards(cured: bool, watch: Watch) -> Trained:
    """A column that is filled in once the outcome is known; for new customers it is empty."""
    x = torch.randn(1500, 8)
    y = (x[:, :1] * x[:, 1:2] + x[:, 2:3] + 0.3 * torch.randn(1500, 1) > 0).float()
    afterwards = y * (1 + 0.2 * torch.randn(1500, 1))
    table = x if cured else torch.cat([x, afterwards], 1)
    model = dense(table.shape[1], 32, 1)
    loss_fn = F.binary_cross_entropy_with_logits
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, loss_fn, table[:1200], y[:1200], 15)
    new = table[1200:].clone()
    if not cured:
        new[:, 8] = 0
    with torch.no_grad():
        score = float(((model(new) > 0) == (y[1200:] == 1)).double().mean())
    return Trained(watching, score, known(table, y, 1200, loss_fn))


PAIRS = [
    Pair(
        "the next word without a causal mask",
        "the next word with a causal mask",
        ("target_in_input",),
        without_a_causal_mask,
        0.5,
        0.75,
    ),
    Pair(
        "the same word for the next one",
        "the next word for the next one",
        ("target_in_input",),
        labels_not_shifted,
        0.4,
        0.75,
    ),
    Pair(
        "a forecast padded on both sides",
        "a forecast padded before",
        ("target_in_input",),
        padded_on_both_sides,
        0.7,
        0.8,
    ),
    Pair(
        "a decoder that is fed its own target",
        "a decoder that is fed the word before",
        ("target_in_input",),
        decoder_sees_its_answer,
        0.5,
        0.8,
    ),
    Pair(
        "a column filled in afterwards",
        "columns that are known before",
        ("target_in_input",),
        settled_afterwards,
        0.7,
        0.8,
    ),
]
