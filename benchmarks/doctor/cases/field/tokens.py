"""Sequences of tokens: integer inputs [B, T], targets a token or a sequence, padding."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import (
    Trained,
    accuracy,
    batches,
    descend,
    faulty_and_cured,
    healthy,
)

PAD, WORDS, LENGTH = 0, 30, 12


class LanguageModel(nn.Module):
    """A GRU over embeddings; the head is the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 48)
        self.gru = nn.GRU(48, 48, batch_first=True)
        self.head = nn.Linear(48, WORDS, bias=False)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.head(self.gru(self.embedding(tokens))[0])
        return logits


class CausalTransformer(nn.Module):
    """Two layers of masked attention."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.position = nn.Embedding(WORDS, 32), nn.Embedding(LENGTH, 32)
        layer = nn.TransformerEncoderLayer(32, 2, 64, dropout=0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(32, WORDS)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        x = self.embedding(tokens) + self.position(torch.arange(length))
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        logits: Tensor = self.head(self.layers(x, mask=mask, is_causal=True))
        return logits


class Tagger(nn.Module):
    """A class for each token, by a bidirectional LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 24, padding_idx=PAD)
        self.lstm = nn.LSTM(24, 24, batch_first=True, bidirectional=True)
        self.head = nn.Linear(48, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.head(self.lstm(self.embedding(tokens))[0])
        return logits


class PackedClassifier(nn.Module):
    """A class for each sequence: the last state of an LSTM over packed tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 24, padding_idx=PAD)
        self.lstm = nn.LSTM(24, 32, batch_first=True)
        self.head = nn.Linear(32, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        lengths = (tokens != PAD).sum(1).cpu()
        packed = pack_padded_sequence(
            self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False
        )
        logits: Tensor = self.head(self.lstm(packed)[1][0][-1])
        return logits


def counting(count: int) -> Tensor:
    """Sequences in which each token is the one before and a step of its own, one in twenty any."""
    start, stride = torch.randint(WORDS, (count, 1)), torch.randint(1, 4, (count, 1))
    tokens = (start + stride * torch.arange(LENGTH)) % WORDS
    return torch.where(torch.rand(tokens.shape) < 0.05, torch.randint(WORDS, tokens.shape), tokens)


def padded(count: int) -> Tensor:
    """Sequences of 3 to `LENGTH` tokens, filled up with `PAD`."""
    tokens = torch.randint(1, WORDS, (count, LENGTH))
    return tokens * (torch.arange(LENGTH) < torch.randint(3, LENGTH + 1, (count, 1)))


def language_model(model: nn.Module, lr: float, flat: bool, ordered: bool = True) -> Trained:
    tokens = counting(1200) if ordered else torch.randint(WORDS, (1200, LENGTH + 1))
    x, y = tokens[:, :-1], tokens[:, 1:]
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1000, 50, 10):
            logits = model(x[chosen])
            if flat:
                loss = F.cross_entropy(logits.reshape(-1, WORDS), y[chosen].reshape(-1))
            else:
                loss = F.cross_entropy(logits.transpose(1, 2), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            watch.step(loss, target=y[chosen])

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output.transpose(1, 2), target)

    data = {"train": (x[:1000], y[:1000]), "valid": (x[1000:], y[1000:]), "loss_fn": loss_fn}
    return Trained(watch, accuracy(model, x[1000:], y[1000:]), data)


def tagger() -> Trained:
    x = padded(1200)
    before = F.pad(x[:, :-1], (1, 0))
    y = torch.where(x == PAD, -100, (x > 15).long() + (before > 15).long())
    model = Tagger()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    loss_fn = nn.CrossEntropyLoss(ignore_index=-100)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1000, 40, 6):
            loss = loss_fn(model(x[chosen]).view(-1, 3), y[chosen].view(-1))
            descend(watch, optimizer, loss, y[chosen])
    with torch.no_grad():
        answer, known = model(x[1000:]).argmax(-1), y[1000:] != -100
    score = float((answer == y[1000:])[known].double().mean())
    return Trained(watch, score, {"train": (x[:1000], y[:1000]), "valid": (x[1000:], y[1000:])})


def long_rows(ignored: bool) -> Trained:
    """Tags of short texts in rows of 60, whose padding the loss counts or leaves out."""
    x = F.pad(padded(1200), (0, 48))
    y = torch.where(x == PAD, 0, 1 + 7 * x % 2)
    model = Tagger()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    loss_fn = nn.CrossEntropyLoss(ignore_index=0 if ignored else -100)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1000, 40, 4):
            loss = loss_fn(model(x[chosen]).view(-1, 3), y[chosen].view(-1))
            descend(watch, optimizer, loss, y[chosen])
    with torch.no_grad():
        right = (model(x[1000:]).argmax(-1) == y[1000:])[y[1000:] > 0]
    return Trained(watch, float(right.double().mean()), {"train": (x[:1000], y[:1000])})


def packed() -> Trained:
    x = padded(1200)
    y = ((x > 20).sum(1) > 2).long()
    model = PackedClassifier()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1000, 40, 12):
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            descend(watch, optimizer, loss, y[chosen])
    score = accuracy(model, x[1000:], y[1000:])
    return Trained(
        watch,
        score,
        {"train": (x[:1000], y[:1000]), "valid": (x[1000:], y[1000:]), "loss_fn": F.cross_entropy},
    )


class Topics(nn.Module):
    """The mean of a text's word vectors, and a class for it."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.topic = nn.EmbeddingBag(200, 16), nn.Linear(16, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        topics: Tensor = self.topic(self.words(tokens))
        return topics


def topics(belong: bool) -> Trained:
    """Texts whose topic says which words they have; or the topics of other texts."""
    y = torch.randint(4, (3000,))
    x = torch.where(
        torch.rand(3000, 12) < 0.5,
        50 * y[:, None] + torch.randint(50, (3000, 12)),
        torch.randint(200, (3000, 12)),
    )
    if not belong:
        y = y[torch.randperm(len(y))]
    model = Topics()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(2600, 32, 3):
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    data = {"train": (x[:2600], y[:2600]), "valid": (x[2600:], y[2600:])}
    return Trained(watch, accuracy(model, x[2600:], y[2600:]), data)


CASES = [
    healthy("language model, tied weights", lambda: language_model(LanguageModel(), 1e-2, True)),
    healthy(
        "language model, causal attention", lambda: language_model(CausalTransformer(), 4e-3, False)
    ),
    healthy("tagger, padding ignored", tagger),
    healthy("classifier of packed sequences", packed),
    *faulty_and_cured(
        "tagger, padding counted",
        "tagger, padding left out",
        "padding_in_loss",
        long_rows,
    ),
    *faulty_and_cured(
        "texts with the topics of others", "texts with their topics", "labels_unrelated", topics
    ),
    *faulty_and_cured(
        "texts of words in any order",
        "texts of words that count",
        "does_not_learn",
        lambda ordered: language_model(LanguageModel(), 1e-2, True, ordered),
    ),
]
