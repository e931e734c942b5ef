"""What a short message to a shop is about."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, fit, known, right

WORDS, INTENTS = 120, 6


def messages(count: int, length: int = 10) -> tuple[Tensor, Tensor]:
    """Words without padding; three of each message belong to its intent. [N, T], [N]"""
    kind = torch.randint(0, INTENTS, (count,))
    words = torch.randint(61, WORDS, (count, length))
    told = 1 + 10 * kind[:, None] + torch.randint(0, 10, (count, 3))
    words.scatter_(1, torch.rand(count, length).argsort(1)[:, :3], told)
    return words, kind


class Reader(nn.Module):
    """A GRU, and a layer from where it ends."""

    def __init__(self, batch_first: bool = True) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, 24, padding_idx=0)
        self.memory = nn.GRU(24, 32, batch_first=batch_first)
        self.out = nn.Linear(32, INTENTS)

    def forward(self, words: Tensor) -> Tensor:
        logits: Tensor = self.out(self.memory(self.words(words))[0][:, -1])
        return logits


def time_for_samples(cured: bool, watch: Watch) -> Trained:
    """The GRU takes the messages of a batch for moments."""
    x, y = messages(1000)
    model = Reader(batch_first=cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:800], y[:800], 8, 40)
    with torch.no_grad():
        score = right(model(x[800:]), y[800:])
    return Trained(watching, score, known(x, y, 800, F.cross_entropy))


def long_silence(cured: bool, watch: Watch) -> Trained:
    """Messages are filled up to 50 places behind, and the GRU's last answer is taken."""
    x, y = messages(900)
    x = F.pad(x, (40, 0) if cured else (0, 40))
    model = Reader()
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:750], y[:750], 5, 50)
    with torch.no_grad():
        score = right(model(x[750:]), y[750:])
    return Trained(watching, score, known(x, y, 750, F.cross_entropy))


class Mean(nn.Module):
    """The mean of the words' vectors, and two layers."""

    def __init__(self, words: nn.Embedding) -> None:
        super().__init__()
        self.words = words
        self.hidden, self.out = nn.Linear(words.embedding_dim, 48), nn.Linear(48, INTENTS)

    def forward(self, words: Tensor) -> Tensor:
        logits: Tensor = self.out(torch.relu(self.hidden(self.words(words).mean(1))))
        return logits


def vectors_not_found(cured: bool, watch: Watch) -> Trained:
    """No word was found in the file of vectors, so that the table stayed 0; it is not trained."""
    x, y = messages(1000)
    table = torch.zeros(WORDS, 100)
    if cured:
        table = 2 * torch.randn(WORDS, 100)
    model = Mean(nn.Embedding.from_pretrained(table, freeze=True))
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=5e-3)
    watching = fit(watch, model, optimizer, nn.CrossEntropyLoss(), x[:800], y[:800], 20)
    with torch.no_grad():
        score = right(model(x[800:]), y[800:])
    return Trained(watching, score, known(x, y, 800, F.cross_entropy))


def one_of_several(cured: bool, watch: Watch) -> Trained:
    """A message may be about none, one or several things; judged by messages that are all right."""
    told = (torch.rand(1400, INTENTS) < 0.35).float()
    x = torch.randint(61, WORDS, (1400, INTENTS))
    named = 1 + 10 * torch.arange(INTENTS) + torch.randint(0, 10, (1400, INTENTS))
    x = torch.where(told > 0, named, x)
    model = Mean(nn.Embedding(WORDS, 32))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    loss_fn = F.binary_cross_entropy_with_logits if cured else F.cross_entropy
    watching = fit(watch, model, optimizer, loss_fn, x[:1200], told[:1200], 8)
    with torch.no_grad():
        logits = model(x[1200:])
    chance = logits.sigmoid() if cured else logits.softmax(1)
    score = ((chance > 0.5) == (told[1200:] > 0.5)).all(1).double().mean()
    return Trained(watching, float(score), known(x, told, 1200, loss_fn))


def intent_after_intent(cured: bool, watch: Watch) -> Trained:
    """The file holds one intent after the other, and the loader goes through it as it is."""
    x, y = messages(1000)
    order = y[:800].argsort()
    x[:800], y[:800] = x[:800][order], y[:800][order]
    model = Mean(nn.Embedding(WORDS, 32))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    with watch(model, optimizer) as watching:
        for _ in range(12):
            for rows in (torch.randperm(800) if cured else torch.arange(800)).split(25):
                loss = F.cross_entropy(model(x[rows]), y[rows])
                descend(watching, optimizer, loss, y[rows])
    with torch.no_grad():
        score = right(model(x[800:]), y[800:])
    return Trained(watching, score, known(x, y, 800, F.cross_entropy))


PAIRS = [
    Pair(
        "messages taken for moments",
        "messages taken for samples",
        ("samples_mixed",),
        time_for_samples,
        0.6,
        0.85,
    ),
    Pair(
        "messages with a long silence behind",
        "messages with a long silence before",
        ("padding_read",),
        long_silence,
        0.6,
        0.85,
    ),
    Pair(
        "vectors of words that were not found",
        "vectors of words that were found",
        ("input_not_used", "parameters_not_updated", "representation_collapsed"),
        vectors_not_found,
        0.35,
        0.85,
    ),
    Pair(
        "one of several intents by a softmax",
        "several intents by sigmoids",
        ("loss_unsuited",),
        one_of_several,
        0.5,
        0.8,
    ),
    Pair(
        "messages sorted by intent",
        "messages sorted by intent and drawn by chance",
        ("not_shuffled",),
        intent_after_intent,
        0.6,
        0.85,
    ),
]
