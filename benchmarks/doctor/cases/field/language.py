"""Text in other ways than the next word: hidden words, a state carried on, a prompt that learns."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy

WORDS, MASK, LENGTH = 18, 0, 12


def text(count: int) -> Tensor:
    """Rows [N, 12] that count up by a step of their own, from anywhere, among words 1 to 17."""
    start, step = torch.randint(0, 17, (count, 1)), torch.randint(1, 4, (count, 1))
    return 1 + (start + step * torch.arange(LENGTH)) % 17


class Reader(nn.Module):
    """A small bidirectional transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, 32)
        self.places = nn.Parameter(0.1 * torch.randn(LENGTH, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, 0.0, F.gelu, batch_first=True)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(32, WORDS)

    def forward(self, tokens: Tensor) -> Tensor:
        answer: Tensor = self.out(self.body(self.words(tokens) + self.places))
        return answer


def hide(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """A fifth of the words hidden, and the targets: -100 where nothing is."""
    hidden = torch.rand(tokens.shape) < 0.2
    return tokens.masked_fill(hidden, MASK), tokens.masked_fill(~hidden, -100)


def hidden_words() -> Trained:
    tokens = text(1600)
    model = Reader()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1400, 70, 18):
            inputs, labels = hide(tokens[chosen])
            logits = model(inputs)
            loss = F.cross_entropy(logits.view(-1, WORDS), labels.view(-1))
            descend(watch, optimizer, loss, labels)
    inputs, labels = hide(tokens[1400:])
    with torch.no_grad():
        right = (model.eval()(inputs).argmax(-1) == labels)[labels >= 0]
    score = float(right.double().mean())
    return Trained(watch, score, {"valid": (inputs, labels)})


def carried() -> Trained:
    """Truncated backpropagation: the state goes on from piece to piece, without its gradient."""
    alphabet, rows, piece = 8, 16, 12
    # the next symbol is told by the last two
    table = torch.randint(0, alphabet, (alphabet, alphabet))
    stream = torch.randint(0, alphabet, (rows, 2 + piece * 60))
    for place in range(2, stream.shape[1]):
        following = table[stream[:, place - 2], stream[:, place - 1]]
        astray = torch.rand(rows) < 0.1
        stream[:, place] = torch.where(astray, stream[:, place], following)

    class Speaker(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(alphabet, 16)
            self.body = nn.LSTM(16, 48, batch_first=True)
            self.out = nn.Linear(48, alphabet)

        def forward(
            self, x: Tensor, state: tuple[Tensor, Tensor] | None
        ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
            h, state = self.body(self.words(x), state)
            return self.out(h), state

    model = Speaker()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(5):
            state = None
            for first in range(0, piece * 50, piece):
                x = stream[:, first : first + piece]
                y = stream[:, first + 1 : first + piece + 1]
                logits, state = model(x, state)
                state = (state[0].detach(), state[1].detach())
                loss = F.cross_entropy(logits.flatten(0, 1), y.flatten())
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 0.5)
                optimizer.step()
                watch.step(loss, target=y)
    rest = stream[:, piece * 50 :]
    with torch.no_grad():
        answer = model(rest[:, :-1], None)[0].argmax(-1)
    return Trained(watch, float((answer[:, 4:] == rest[:, 5:]).double().mean()))


@functools.cache
def reader_weights() -> dict[str, Tensor]:
    """A reader that has learned to fill in hidden words."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, tokens = Reader(), text(1400)
        optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
        for chosen in batches(1400, 70, 12):
            inputs, labels = hide(tokens[chosen])
            optimizer.zero_grad()
            F.cross_entropy(model(inputs).view(-1, WORDS), labels.view(-1)).backward()
            optimizer.step()
    return model.state_dict()


def prompt() -> Trained:
    """A frozen reader, four vectors before the text, and a head: which step does it count by?"""
    reader = Reader()
    reader.load_state_dict(reader_weights())
    reader.requires_grad_(False)

    class Prompted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.reader = reader
            self.prompt = nn.Parameter(0.1 * torch.randn(4, 32))
            self.head = nn.Linear(32, 3)

        def forward(self, tokens: Tensor) -> Tensor:
            h = self.reader.words(tokens) + self.reader.places
            before = self.prompt.expand(len(tokens), 4, 32)
            answer: Tensor = self.head(self.reader.body(torch.cat([before, h], 1))[:, :4].mean(1))
            return answer

    tokens = text(1400)
    y = (tokens[:, 1] - tokens[:, 0]) % 17 - 1
    model = Prompted()
    optimizer = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 60, 10):
            descend(watch, optimizer, F.cross_entropy(model(tokens[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = float((model(tokens[1200:]).argmax(1) == y[1200:]).double().mean())
    known = {"train": (tokens[:1200], y[:1200]), "valid": (tokens[1200:], y[1200:])}
    return Trained(watch, score, known)


CASES = [
    healthy("hidden words", hidden_words),
    healthy("a state carried on", carried),
    healthy("a prompt that learns", prompt),
]
