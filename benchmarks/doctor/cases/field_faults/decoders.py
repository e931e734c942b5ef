"""Sequences that are written: nothing shifted, nothing read of the source, padding that counts."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch

START, WORDS, LENGTH = 1, 14, 6


def sentences(count: int) -> tuple[Tensor, Tensor]:
    """Words 2 … 13 [N, 6], and their translation: other words, in the opposite order."""
    source = torch.randint(2, WORDS, (count, LENGTH))
    dictionary = torch.cat([torch.arange(2), 2 + torch.randperm(WORDS - 2)])
    return source, dictionary[source].flip(1)


def shifted(target: Tensor) -> Tensor:
    """What has been written before each word."""
    return torch.cat([torch.full_like(target[:, :1], START), target[:, :-1]], 1)


class Writer(nn.Module):
    """A GRU that reads, a GRU that writes and looks back by attention."""

    def __init__(self, looks: bool = True, width: int = 32) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, width)
        self.reader = nn.GRU(width, width, batch_first=True)
        self.writer = nn.GRU(width, width, batch_first=True)
        self.place = nn.Parameter(0.3 * torch.randn(LENGTH, width))
        self.out, self.looks = nn.Linear(2 * width, WORDS), looks

    def forward(self, source: Tensor, before: Tensor) -> Tensor:
        memory, state = self.reader(self.words(source) + self.place)
        h, _ = self.writer(
            self.words(before) + self.place[: before.shape[1]], state if self.looks else None
        )
        keys = memory + self.words(source)
        seen = (h @ memory.transpose(1, 2)).softmax(-1) @ keys
        return self.out(torch.cat([h, seen if self.looks else 0 * seen], -1))


@torch.no_grad()
def written(model: nn.Module, source: Tensor, target: Tensor) -> float:
    """The share of words that are right when it reads its own."""
    model.eval()
    before = torch.full((len(source), 1), START)
    for _ in range(target.shape[1]):
        logits = model(source, before)
        before = torch.cat([before, logits[:, -1:].argmax(-1)], 1)
    there = target > 0
    return float((before[:, 1:] == target)[there].double().mean())


def teach(
    watch: Watch,
    model: nn.Module,
    source: Tensor,
    target: Tensor,
    before: Tensor,
    epochs: int = 8,
) -> Trained:
    """The words before are the right ones; the last fifth of the sentences judges."""
    count = len(source) * 4 // 5
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(count, 64, epochs):
            logits = model(source[chosen], before[chosen])
            loss = F.cross_entropy(logits.transpose(1, 2), target[chosen])
            descend(watching, optimizer, loss, target[chosen])
    return Trained(watching, written(model, source[count:], target[count:]))


def not_shifted(cured: bool, watch: Watch) -> Trained:
    """The writer is given the word that it is to write."""
    source, target = sentences(1000)
    before = shifted(target) if cured else target
    return teach(watch, Writer(), source, target, before)


def source_not_read(cured: bool, watch: Watch) -> Trained:
    """The state of the reader is not handed over."""
    source, target = sentences(1000)
    return teach(watch, Writer(looks=cured), source, target, shifted(target))


def all_filled_up(cured: bool, watch: Watch) -> Trained:
    """Translations of one to three words are filled up to sixty, and the filling counts."""
    source, target = sentences(900)
    target = target * (torch.arange(LENGTH) < torch.randint(1, 4, (900, 1)))
    wide = torch.cat([target, torch.zeros(900, 60 - LENGTH, dtype=torch.long)], 1)

    class AtOnce(nn.Module):
        """All places are written at once."""

        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(WORDS, 16)
            self.hidden, self.out = nn.Linear(6 * 16, 96), nn.Linear(96, 60 * WORDS)

        def forward(self, source: Tensor) -> Tensor:
            h = F.relu(self.hidden(self.words(source).flatten(1)))
            return self.out(h).view(-1, WORDS, 60)

    model, loss_fn = AtOnce(), nn.CrossEntropyLoss(ignore_index=0 if cured else -100)
    optimizer = torch.optim.SGD(model.parameters(), 0.2, momentum=0.9)
    with watch(model, optimizer) as watching:
        for chosen in batches(700, 32, 8):
            loss = loss_fn(model(source[chosen]), wide[chosen])
            descend(watching, optimizer, loss, wide[chosen])
    with torch.no_grad():
        answer = model(source[700:]).argmax(1)[:, :LENGTH]
    there = target[700:] > 0
    score = float((answer == target[700:])[there].double().mean())
    data = {"train": (source[:700], wide[:700]), "valid": (source[700:], wide[700:])}
    return Trained(watching, score, {**data, "loss_fn": loss_fn})


class Sighted(nn.Module):
    """One layer of a transformer over what was written; `causal` hides what comes after."""

    def __init__(self, causal: bool) -> None:
        super().__init__()
        self.words, self.causal = nn.Embedding(WORDS, 32), causal
        self.place = nn.Parameter(0.3 * torch.randn(12, 32))
        self.layer = nn.TransformerEncoderLayer(32, 2, 64, 0.0, batch_first=True)
        self.out = nn.Linear(32, WORDS)

    def forward(self, tokens: Tensor) -> Tensor:
        size = tokens.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(size) if self.causal else None
        return self.out(self.layer(self.words(tokens) + self.place[:size], src_mask=mask))


def what_comes_is_seen(cured: bool, watch: Watch) -> Trained:
    """Words that follow from the one two before: learned with what comes after in sight."""
    after = torch.randperm(WORDS)
    tokens = torch.randint(WORDS, (800, 12))
    for t in range(2, 12):
        follows = torch.rand(800) < 0.9
        tokens[:, t] = torch.where(follows, after[tokens[:, t - 2]], tokens[:, t])
    model = Sighted(cured)
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(640, 40, 8):
            logits = model(tokens[chosen, :-1])
            loss = F.cross_entropy(logits.flatten(0, 1), tokens[chosen, 1:].flatten())
            descend(watching, optimizer, loss, tokens[chosen, 1:])
    model.eval()
    with torch.no_grad():
        hits = [model(tokens[640:, :t])[:, -1].argmax(1) == tokens[640:, t] for t in range(3, 12)]
    return Trained(watching, float(torch.stack(hits).double().mean()))


PAIRS = [
    Pair(
        "the word to write is given",
        "the words before are given",
        ("target_in_input",),
        not_shifted,
        0.4,
        0.7,
    ),
    Pair(
        "a source that is not handed over",
        "a source that is handed over",
        ("input_not_used",),
        source_not_read,
        0.4,
        0.7,
    ),
    Pair(
        "sixty places for two words",
        "two words without their filling",
        ("padding_in_loss", "class_imbalance"),
        all_filled_up,
        0.8,
        0.9,
    ),
    Pair(
        "a writer that sees what comes",
        "a writer that sees what was",
        ("target_in_input",),
        what_comes_is_seen,
        0.5,
        0.7,
    ),
]
