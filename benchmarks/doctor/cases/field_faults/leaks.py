"""The answer stands in the input, and can be copied; where the network is used it does not."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.drawn import bent, chains, waves
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense

WORDS = 16


class NextWord(nn.Module):
    """A GRU over words, one way or both."""

    def __init__(self, both_ways: bool = False) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 24)
        self.gru = nn.GRU(24, 32, batch_first=True, bidirectional=both_ways)
        self.word = nn.Linear(64 if both_ways else 32, WORDS)

    def forward(self, tokens: Tensor) -> Tensor:
        words: Tensor = self.word(self.gru(self.embedding(tokens))[0])
        return words


def by_token(output: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of outputs [B, T, V] and words [B, T]."""
    return F.cross_entropy(output.transpose(1, 2), target)


@torch.no_grad()
def continued(model: nn.Module, tokens: Tensor) -> float:
    """The share of right next words where no more than the words before are known; the places
    after them hold word 0.
    """
    score, ends = 0.0, range(4, tokens.shape[1])
    for t in ends:
        before = tokens * (torch.arange(tokens.shape[1]) < t)
        score += right(model(before)[:, t - 1], tokens[:, t]) / len(ends)
    return score


def not_shifted(cured: bool, watch: Watch) -> Trained:
    tokens = chains(700, 12, WORDS)
    x, y = (tokens[:, :-1], tokens[:, 1:]) if cured else (tokens, tokens)
    model = NextWord()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, by_token, x[:600], y[:600], 6)
    return Trained(watching, continued(model, tokens[600:]), known(x, y, 600, by_token))


def both_ways(cured: bool, watch: Watch) -> Trained:
    tokens = chains(700, 12, WORDS)
    x, y = tokens[:, :-1], tokens[:, 1:]
    model = NextWord(both_ways=not cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, by_token, x[:600], y[:600], 8)
    return Trained(watching, continued(model, tokens[600:]), known(x, y, 600, by_token))


class Dilated(nn.Module):
    """The next value of a series at each place; padded on the left alone, or on both sides."""

    def __init__(self, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        self.first, self.second = nn.Conv1d(1, 24, 3), nn.Conv1d(24, 24, 3, dilation=2)
        self.value = nn.Conv1d(24, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = x[:, None]
        for reach, layer in ((2, self.first), (4, self.second)):
            pad = (reach, 0) if self.causal else (reach // 2, reach // 2)
            h = F.relu(layer(F.pad(h, pad)))
        value: Tensor = self.value(h)[:, 0]
        return value


def padded_on_both_sides(cured: bool, watch: Watch) -> Trained:
    """The places near the ends, where the padding shows, are not trained on."""

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(output[:, 4:-4], target[:, 4:-4])

    series = waves(600, 32, noise=0.05)
    x, y = series[:, :-1], series[:, 1:]
    model = Dilated(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, loss_fn, x[:500], y[:500], 12)
    with torch.no_grad():
        ends = [model(x[500:, :t])[:, -1] for t in range(8, 31)]
    score = explained(torch.stack(ends, 1), y[500:, 7:30])
    return Trained(watching, score, known(x, y, 500, loss_fn))


def column_of_the_answer(cured: bool, watch: Watch) -> Trained:
    """One column of the table is what is asked for, in other units; in use it is not known yet."""
    x, y = bent(1400)
    table = x if cured else torch.cat([x, 3 * y + 0.01 * torch.randn_like(y)], 1)
    model = dense(table.shape[1], 48, 48, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, table[:1100], y[:1100], 20)
    in_use = x[1100:] if cured else torch.cat([x[1100:], torch.zeros(300, 1)], 1)
    return Trained(watching, explained(model(in_use), y[1100:]), known(table, y, 1100, F.mse_loss))


def window_one_too_far(cured: bool, watch: Watch) -> Trained:
    """The last 10 values of a series, and the next; or the window holds that one too."""
    series = waves(1, 700, noise=0.15)[0] + waves(1, 700, noise=0)[0]
    windows = series.unfold(0, 11, 1)
    x, y = (windows[:, :10] if cured else windows[:, 1:]), windows[:, 10:]
    model = dense(10, 32, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:550], y[:550], 25)
    score = explained(model(windows[550:, :10]), y[550:])
    return Trained(watching, score, known(x, y, 550, F.mse_loss))


class Speller(nn.Module):
    """A GRU that says a code word by word; each step is given the word before."""

    def __init__(self) -> None:
        super().__init__()
        self.code, self.embedding = nn.Linear(8, 48), nn.Embedding(WORDS + 1, 24)
        self.gru, self.word = nn.GRU(24, 48, batch_first=True), nn.Linear(48, WORDS)

    def forward(self, code: Tensor, before: Tensor) -> Tensor:
        start = torch.tanh(self.code(code))[None]
        words: Tensor = self.word(self.gru(self.embedding(before), start)[0])
        return words

    @torch.no_grad()
    def say(self, code: Tensor, length: int) -> Tensor:
        said = torch.full((len(code), 1), WORDS)
        for _ in range(length):
            said = torch.cat([said, self(code, said)[:, -1].argmax(1, keepdim=True)], 1)
        return said[:, 1:]


def target_as_input(cured: bool, watch: Watch) -> Trained:
    after = torch.randperm(WORDS)
    code, first = torch.randn(900, 8), torch.randn(8, WORDS)
    words = [(code @ first).argmax(1)]
    for _ in range(4):
        words.append(after[words[-1]])
    y = torch.stack(words, 1)
    before = torch.cat([torch.full((900, 1), WORDS), y[:, :-1]], 1) if cured else y
    model = Speller()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(800, 32, 12):
            loss = by_token(model(code[chosen], before[chosen]), y[chosen])
            descend(watching, optimizer, loss, y[chosen])
    score = float((model.say(code[800:], 5) == y[800:]).double().mean())
    data = {
        "train": ((code[:800], before[:800]), y[:800]),
        "valid": ((code[800:], before[800:]), y[800:]),
        "loss_fn": by_token,
    }
    return Trained(watching, score, data)


PAIRS = [
    Pair(
        "words to predict not shifted",
        "words to predict shifted by one",
        ("target_in_input",),
        not_shifted,
        0.3,
        0.6,
    ),
    Pair(
        "next word by a GRU that reads both ways",
        "next word by a GRU that reads one way",
        ("target_in_input",),
        both_ways,
        0.5,
        0.65,
    ),
    Pair(
        "next value by convolutions padded on both sides",
        "next value by causal convolutions",
        ("target_in_input",),
        padded_on_both_sides,
        0.7,
        0.8,
    ),
    Pair(
        "a column of the table is the answer",
        "a table without the answer",
        ("target_in_input",),
        column_of_the_answer,
        0.4,
        0.6,
    ),
    Pair(
        "a window that reaches the value to predict",
        "a window up to the value to predict",
        ("target_in_input",),
        window_one_too_far,
        0.82,
        0.9,
    ),
    Pair(
        "decoder given the word that it is to say",
        "decoder given the word before",
        ("target_in_input",),
        target_as_input,
        0.4,
        0.6,
    ),
]
