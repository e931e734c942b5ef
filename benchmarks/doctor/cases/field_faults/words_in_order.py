"""Language: models of the next word, and readers of sentences."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.drawn import chains
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, fit, known, right


def over_words(output: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of [B, T, words] against words [B, T]."""
    return F.cross_entropy(output.transpose(1, 2), target)


@torch.no_grad()
def continued(model: Callable[[Tensor], Tensor], x: Tensor, shortest: int, longest: int) -> float:
    """How often the word after a beginning is the one that the model puts last, for beginnings of
    `shortest` to `longest` words.
    """
    hits = [(model(x[:, :n])[:, -1].argmax(1) == x[:, n]) for n in range(shortest, longest + 1)]
    return float(torch.stack(hits).double().mean())


def sums(count: int, length: int, words: int) -> Tensor:
    """Words [count, length], each what a table says of the two before it."""
    table = torch.randint(words, (words, words))
    tokens = torch.randint(words, (count, length))
    for t in range(2, length):
        tokens[:, t] = table[tokens[:, t - 1], tokens[:, t - 2]]
    return tokens


class Speaker(nn.Module):
    """One block of attention over the words so far, or over all of them."""

    def __init__(self, words: int, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        self.embedding = nn.Embedding(words, 32)
        self.place = nn.Parameter(0.02 * torch.randn(32, 32))
        self.block = nn.TransformerEncoderLayer(32, 2, 64, 0.0, batch_first=True, norm_first=True)
        self.head = nn.Linear(32, words)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        h = self.embedding(tokens) + self.place[:length]
        mask = nn.Transformer.generate_square_subsequent_mask(length) if self.causal else None
        words: Tensor = self.head(self.block(h, src_mask=mask))
        return words


def attention_to_what_comes(cured: bool, watch: Watch) -> Trained:
    """The square mask is left out; the model is used to continue beginnings."""
    x = sums(900, 14, 8)
    model = Speaker(8, causal=cured)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    watching = fit(watch, model, optimizer, over_words, x[:700, :-1], x[:700, 1:], 12, 50)
    score = continued(model.eval(), x[700:], 3, 9)
    return Trained(watching, score, known(x[:, :-1], x[:, 1:], 700, over_words))


class Recurrent(nn.Module):
    """The next word from a GRU."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, 16)
        self.gru = nn.GRU(16, 48, batch_first=True)
        self.head = nn.Linear(48, words)

    def forward(self, tokens: Tensor) -> Tensor:
        h, _ = self.gru(self.embedding(tokens))
        words: Tensor = self.head(h)
        return words


class Classifier(nn.Module):
    """Two blocks of attention, with or without the places of the words, and their mean."""

    def __init__(self, places: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(25, 32)
        self.place = nn.Parameter(0.3 * torch.randn(12, 32)) if places else None
        self.blocks = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True), 2
        )
        self.head = nn.Linear(32, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        h = self.embedding(tokens)
        if self.place is not None:
            h = h + self.place
        kinds: Tensor = self.head(self.blocks(h).mean(1))
        return kinds


def who_bit_whom(cured: bool, watch: Watch) -> Trained:
    """Word 1 comes before word 2 or after it: that is the class."""
    x = torch.randint(3, 25, (1100, 12))
    y = torch.randint(2, (1100,))
    places = torch.rand(1100, 12).argsort(1)[:, :2].sort(1).values
    rows = torch.arange(1100)
    x[rows, places[rows, y]] = 1
    x[rows, places[rows, 1 - y]] = 2
    model = Classifier(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with watch(model, optimizer) as watching:
        for _ in range(9):
            for chosen in batches(850, 50, 1):
                loss = F.cross_entropy(model(x[chosen]), y[chosen])
                descend(watching, optimizer, loss, y[chosen])
            with torch.no_grad():
                output = model(x[850:])
            watching.valid(loss=float(F.cross_entropy(output, y[850:])))
    return Trained(watching, right(output, y[850:]), known(x, y, 850, F.cross_entropy))


def warm_up_by_epochs(cured: bool, watch: Watch) -> Trained:
    """A warm-up of 100 steps, whose scheduler is called after each batch or after each epoch."""
    x = chains(800, 10, 40, 0.95)
    model = Speaker(40, causal=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: min(1.0, (n + 1) / 100))
    with watch(model, optimizer) as watching:
        for _ in range(6):
            for chosen in batches(600, 20, 1):
                loss = over_words(model(x[chosen, :-1]), x[chosen, 1:])
                descend(watching, optimizer, loss, x[chosen, 1:])
                if cured:
                    scheduler.step()
            if not cured:
                scheduler.step()
    score = continued(model.eval(), x[600:], 3, 9)
    return Trained(watching, score, known(x[:, :-1], x[:, 1:], 600, over_words))


def parts_cleared(cured: bool, watch: Watch) -> Trained:
    """Ten small batches for each step; the gradients are cleared before each of them."""
    x = chains(700, 10, 15, 0.95)
    model = Recurrent(15)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    with watch(model, optimizer) as watching:
        for number, chosen in enumerate(batches(500, 5, 5), 1):
            loss = over_words(model(x[chosen, :-1]), x[chosen, 1:]) / 10
            if not cured:
                optimizer.zero_grad()
            loss.backward()
            if number % 10 == 0:
                optimizer.step()
                watching.step(loss, target=x[chosen, 1:])
                optimizer.zero_grad()
    score = continued(model, x[500:], 3, 8)
    return Trained(watching, score, known(x[:, :-1], x[:, 1:], 500, over_words))


PAIRS = [
    Pair(
        "continuing texts after attention to what comes",
        "continuing texts after attention to what was",
        ("target_in_input",),
        attention_to_what_comes,
        0.7,
        0.85,
    ),
    Pair(
        "who comes first, by attention without places",
        "who comes first, by attention with places",
        ("order_blind",),
        who_bit_whom,
        0.62,
        0.85,
    ),
    Pair(
        "a warm-up of a hundred epochs",
        "a warm-up of a hundred steps",
        ("learning_rate_too_low",),
        warm_up_by_epochs,
        0.5,
        0.8,
    ),
    Pair(
        "nine of ten parts of a batch cleared",
        "ten parts of a batch added up",
        ("gradient_discarded",),
        parts_cleared,
        0.6,
        0.75,
    ),
]
