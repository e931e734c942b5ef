"""Recipes: their next word, their kitchen and how long they take."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known, right

WORDS = 40


def instructions(count: int, length: int) -> Tensor:
    """Recipes [count, length] of which each word follows from the two before it, mostly."""
    after = torch.randint(WORDS, (WORDS, 2))
    words = torch.randint(WORDS, (count, length))
    for t in range(2, length):
        follows = after[words[:, t - 1], words[:, t - 2] % 2]
        words[:, t] = torch.where(torch.rand(count) < 0.9, follows, words[:, t])
    return words


class Writer(nn.Module):
    """A GRU that says the next word after each: logits [B, T, WORDS]."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, 24)
        self.gru = nn.GRU(24, 40, batch_first=True)
        self.out = nn.Linear(40, WORDS)

    def forward(self, words: Tensor) -> Tensor:
        states, _ = self.gru(self.embed(words))
        logits: Tensor = self.out(states)
        return logits


def by_word(logits: Tensor, words: Tensor) -> Tensor:
    """Cross-entropy of [B, T, WORDS] against [B, T]."""
    return F.cross_entropy(logits.flatten(0, 1), words.flatten())


def target_not_shifted(cured: bool, watch: Watch) -> Trained:
    """The slices that move the targets on by one word are both the same."""
    recipes = instructions(800, 13)
    x = recipes[:, :-1]
    y = recipes[:, 1:] if cured else recipes[:, :-1]
    model = Writer()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for _epoch in range(10):
            for chosen in torch.randperm(700).split(35):
                optimizer.zero_grad()
                loss = by_word(model(x[chosen]), y[chosen])
                loss.backward()
                optimizer.step()
                watching.step(loss, target=y[chosen])
    with torch.no_grad():
        score = right(model(x[700:])[:, 1:], recipes[700:, 2:])
    return Trained(watching, score, known(x, y, 700, by_word))


def kitchens(count: int) -> tuple[Tensor, Tensor]:
    """Ingredients [count, 10], by their name's number, and which of four kitchens they are from."""
    y = torch.randint(4, (count,))
    typical = torch.randperm(WORDS).reshape(4, 10)
    own = typical[y[:, None], torch.randint(10, (count, 10))]
    anything = torch.randint(WORDS, (count, 10))
    return torch.where(torch.rand(count, 10) < 0.5, own, anything), y


def numbered(words: Tensor) -> Tensor:
    """Words by their number in a list of them, made in the order in which they first appear."""
    numbers: dict[int, int] = {}
    rows = [[numbers.setdefault(word, len(numbers)) for word in row] for row in words.tolist()]
    return torch.tensor(rows)


class Kitchen(nn.Module):
    """Counts on the mean of word vectors."""

    def __init__(self, embed: nn.Embedding) -> None:
        super().__init__()
        self.embed = embed
        self.head = nn.Sequential(nn.Linear(embed.embedding_dim, 32), nn.ReLU(), nn.Linear(32, 4))

    def forward(self, words: Tensor) -> Tensor:
        logits: Tensor = self.head(self.embed(words).mean(1))
        return logits


def list_for_each_split(cured: bool, watch: Watch) -> Trained:
    """The list that gives each word a number is made anew for the validation recipes."""
    x, y = kitchens(1000)
    count = 750
    x = numbered(x) if cured else torch.cat([numbered(x[:count]), numbered(x[count:])])
    model = Kitchen(nn.Embedding(WORDS, 16))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for _epoch in range(12):
            for words, kitchen in DataLoader(TensorDataset(x[:count], y[:count]), 30, shuffle=True):
                loss = F.cross_entropy(model(words), kitchen)
                descend(watching, optimizer, loss, kitchen)
            with torch.no_grad():
                logits = model(x[count:])
            loss = F.cross_entropy(logits, y[count:])
            watching.valid(loss=float(loss), score=right(logits, y[count:]))
    with torch.no_grad():
        score = right(model(x[count:]), y[count:])
    return Trained(watching, score, known(x, y, count, F.cross_entropy))


def summed(cured: bool, watch: Watch) -> Trained:
    """The loss adds up all words of a batch, with a rate that suits their mean."""
    recipes = instructions(900, 11)
    x, y = recipes[:, :-1], recipes[:, 1:]
    model = Writer()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    criterion = nn.CrossEntropyLoss(reduction="mean" if cured else "sum")

    def loss_fn(logits: Tensor, words: Tensor) -> Tensor:
        loss: Tensor = criterion(logits.reshape(-1, WORDS), words.reshape(-1))
        return loss

    with watch(model, optimizer) as watching:
        for chosen in batches(800, 32, 12):
            descend(watching, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = right(model(x[800:])[:, 1:], y[800:, 1:])
    return Trained(watching, score, known(x, y, 800, loss_fn))


def vectors_frozen(cured: bool, watch: Watch) -> Trained:
    """`from_pretrained` freezes the vectors unless it is told not to, and these know little."""
    x, y = kitchens(1300)
    vectors = torch.randn(WORDS, 3)
    embed = nn.Embedding.from_pretrained(vectors, freeze=not cured)
    model = Kitchen(embed)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for epoch in range(14):
            for start in range(0, 1000, 40):
                if start == 0:
                    order = torch.randperm(1000)
                chosen = order[start : start + 40]
                optimizer.zero_grad()
                loss = F.cross_entropy(model(x[chosen]), y[chosen])
                loss.backward()
                optimizer.step()
                watching.step(loss, target=y[chosen])
            if epoch == 9:
                optimizer.param_groups[0]["lr"] = 3e-3
    with torch.no_grad():
        score = right(model(x[1000:]), y[1000:])
    return Trained(watching, score, known(x, y, 1000, F.cross_entropy))


class Timer(nn.Module):
    """How long a recipe takes, from all its words at once, by a perceptron of three layers."""

    def __init__(self, spread: float) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, 12)
        self.layers = nn.Sequential(
            nn.Linear(120, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)
        )
        nn.init.normal_(self.embed.weight, std=spread)

    def forward(self, words: Tensor) -> Tensor:
        minutes: Tensor = self.layers(self.embed(words).flatten(1)).squeeze(1)
        return minutes


def vectors_too_long(cured: bool, watch: Watch) -> Trained:
    """Word vectors are drawn with a spread of 30 before layers of tanh."""
    x = torch.randint(WORDS, (1400, 10))
    y = torch.randn(WORDS)[x].sum(1) / 10**0.5
    model = Timer(0.3 if cured else 30.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(1100, 40, 15):
            optimizer.zero_grad()
            loss = F.mse_loss(model(x[chosen]), y[chosen])
            loss.backward()
            optimizer.step()
            watching.step(loss.detach(), target=y[chosen])
    with torch.no_grad():
        score = explained(model(x[1100:]), y[1100:])
    return Trained(watching, score, known(x, y, 1100, F.mse_loss))


PAIRS = [
    Pair(
        "recipes: the words read are the words to say",
        "recipes: the words to say are one further",
        ("target_in_input",),
        target_not_shifted,
        0.3,
        0.6,
    ),
    Pair(
        "recipes: words numbered anew for validation",
        "recipes: words numbered once",
        ("train_valid_mismatch",),
        list_for_each_split,
        0.5,
        0.8,
    ),
    Pair(
        "recipes: the loss of all words added up",
        "recipes: the mean loss of all words",
        ("loss_scale", "learning_rate_too_high"),
        summed,
        0.7,
        0.82,
    ),
    Pair(
        "recipes: short random word vectors frozen",
        "recipes: short random word vectors trained",
        ("parameters_not_updated",),
        vectors_frozen,
        0.75,
        0.8,
    ),
    Pair(
        "recipes: word vectors of spread 30 before tanh",
        "recipes: word vectors of spread .3 before tanh",
        ("saturated_units", "signal_explodes"),
        vectors_too_long,
        0.6,
        0.85,
    ),
]
