"""Letters to a help desk as rows of tokens: topics, urgency, and the next word of an answer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, fit, known, right

WORDS = 60


def tickets(count: int, words: int, topics: int = 4) -> tuple[Tensor, Tensor]:
    """Tokens [N, T] of 1..WORDS - 1 and topics [N]: each has ten words that it uses more often."""
    y = torch.randint(0, topics, (count,))
    own = 1 + 10 * y[:, None] + torch.randint(0, 10, (count, words))
    common = torch.randint(1, WORDS, (count, words))
    return torch.where(torch.rand(count, words) < 0.4, own, common), y


class Summary(nn.Module):
    """A GRU's last state decides. Without the colon it is the last letter's states."""

    def __init__(self, cured: bool) -> None:
        super().__init__()
        self.cured = cured
        self.embed = nn.Embedding(WORDS, 16)
        self.gru = nn.GRU(16, 32, batch_first=True)
        self.out = nn.Linear(32, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        states, _ = self.gru(self.embed(tokens))
        last = states[:, -1] if self.cured else states[-1]
        return self.out(last)


def square_batches(cured: bool, watch: Watch) -> Trained:
    """Twenty letters of twenty words a batch, so that no shape complains."""
    x, y = tickets(1000, 20)
    model = Summary(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:800], y[:800], 10, 20)
    with torch.no_grad():
        parts = torch.cat([model(part) for part in x[800:].split(20)])
    return Trained(watching, right(parts, y[800:]))


def vocabulary_anew(cured: bool, watch: Watch) -> Trained:
    """Words are numbered as they appear, anew for the letters that are judged."""
    x, y = tickets(1200, 14)
    if not cured:
        numbers = torch.cat([torch.zeros(1, dtype=torch.long), 1 + torch.randperm(WORDS - 1)])
        x[900:] = numbers[x[900:]]
    model = nn.Sequential(nn.EmbeddingBag(WORDS, 24), nn.ReLU(), nn.Linear(24, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:900], y[:900], 12)
    return Trained(watching, accuracy(model, x[900:], y[900:]), known(x, y, 900, F.cross_entropy))


def urgent_ones(cured: bool, watch: Watch) -> Trained:
    """One letter in twenty-five is urgent, and its words are seldom plain about it."""
    count = 2500
    y = (torch.rand(count) < 0.04).float()
    x = torch.randint(1, WORDS, (count, 16))
    alarm = (torch.rand(count, 16) < 0.2) & (y[:, None] > 0)
    x = torch.where(alarm, torch.randint(1, 8, (count, 16)), x)
    model = nn.Sequential(nn.EmbeddingBag(WORDS, 8), nn.Linear(8, 1), nn.Flatten(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    loss_fn = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(24.0) if cured else None)
    watching = fit(watch, model, optimizer, loss_fn, x[:1800], y[:1800], 8, 50)
    with torch.no_grad():
        alarmed, urgent = model(x[1800:]) > 0, y[1800:] > 0.5
    caught, quiet = alarmed[urgent].double().mean(), (~alarmed[~urgent]).double().mean()
    return Trained(watching, float((caught + quiet) / 2), known(x, y, 1800, loss_fn))


class Attentive(nn.Module):
    """A Transformer layer and the mean of the words; True in its mask means: do not look."""

    def __init__(self, cured: bool) -> None:
        super().__init__()
        self.cured = cured
        self.embed = nn.Embedding(WORDS, 24)
        self.layer = nn.TransformerEncoderLayer(24, 2, 48, dropout=0.0, batch_first=True)
        self.first = nn.Parameter(0.1 * torch.randn(1, 1, 24))
        self.out = nn.Linear(24, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        empty = tokens == 0
        hidden = empty if self.cured else ~empty
        start = self.first.expand(len(tokens), 1, 24)
        hidden = torch.cat([torch.zeros(len(tokens), 1, dtype=torch.bool), hidden], 1)
        h = self.layer(torch.cat([start, self.embed(tokens)], 1), src_key_padding_mask=hidden)
        return self.out(h[:, 0])


def mask_inverted(cured: bool, watch: Watch) -> Trained:
    """Letters of 4 to 16 words, filled with zeros."""
    x, y = tickets(1200, 16)
    length = torch.randint(4, 17, (1200,))
    x = x.masked_fill(torch.arange(16) >= length[:, None], 0)
    model = Attentive(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:900], y[:900], 10)
    with torch.no_grad():
        score = right(model(x[900:]), y[900:])
    return Trained(watching, score, known(x, y, 900, F.cross_entropy))


class Answerer(nn.Module):
    """The next word at each place, by an LSTM that reads one way or both ways."""

    def __init__(self, cured: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 16)
        self.lstm = nn.LSTM(16, 32, batch_first=True, bidirectional=not cured)
        self.out = nn.Linear(32 if cured else 64, 20)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.out(self.lstm(self.embed(tokens))[0])


def both_ways(cured: bool, watch: Watch) -> Trained:
    """Phrases in which two words mostly say the next; judged is the word after the last one."""
    count, words = 1100, 16
    follows = torch.randint(0, 20, (20, 20))
    tokens = torch.randint(0, 20, (count, words + 1))
    for place in range(1, words):
        ruled = follows[tokens[:, place - 1] // 5, tokens[:, place]]
        chance = torch.rand(count) < 0.15
        tokens[:, place + 1] = torch.where(chance, tokens[:, place + 1], ruled)
    x, y = tokens[:, :-1], tokens[:, 1:]
    model = Answerer(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(900, 25, 10):
            output = model(tokens[chosen])[:, :-1]
            loss = F.cross_entropy(output.flatten(0, 1), y[chosen].flatten())
            descend(watching, optimizer, loss, y[chosen])
    with torch.no_grad():
        ends = [model(x[900:, :place])[:, -1] for place in range(2, words + 1)]
    score = right(torch.stack(ends, 1), y[900:, 1:])
    return Trained(watching, score, known(x, y, 900))


PAIRS = [
    Pair(
        "the last letter's states for the last word's",
        "the last word's states of each letter",
        ("samples_mixed", "input_not_used", "inputs_scrambled"),
        square_batches,
        0.5,
        0.8,
    ),
    Pair(
        "words numbered anew for validation",
        "words numbered once",
        ("train_valid_mismatch",),
        vocabulary_anew,
        0.5,
        0.8,
    ),
    Pair(
        "one urgent letter in twenty-five",
        "one urgent letter in twenty-five that weighs more",
        ("class_imbalance",),
        urgent_ones,
        0.6,
        0.68,
    ),
    Pair(
        "attention that looks at the filling only",
        "attention that looks at the words only",
        ("padding_read", "input_not_used"),
        mask_inverted,
        0.5,
        0.75,
    ),
    Pair(
        "answers by an LSTM that reads both ways",
        "answers by an LSTM that reads one way",
        ("target_in_input",),
        both_ways,
        0.5,
        0.68,
    ),
]
