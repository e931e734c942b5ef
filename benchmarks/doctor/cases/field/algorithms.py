"""Rules that are learned from examples: sums, orders, brackets, copies, states."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy
from benchmarks.doctor.networks import dense


def remainders() -> Trained:
    """a + b modulo 23 from a part of all pairs, under a decay that is meant to be strong."""
    p = 23
    pairs = torch.cartesian_prod(torch.arange(p), torch.arange(p))
    pairs = pairs[torch.randperm(len(pairs))]
    y = pairs.sum(1) % p

    class Clock(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(p, 48)
            self.hidden, self.out = nn.Linear(48, 128), nn.Linear(128, p, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(F.relu(self.hidden(self.embedding(x).sum(1))).square())

    model = Clock()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=1.0)
    with ss.watch(model, optimizer) as watch:
        for _ in range(900):  # all of them in each step
            descend(watch, optimizer, F.cross_entropy(model(pairs[:420]), y[:420]), y[:420])
    return Trained(
        watch,
        accuracy(model, pairs[420:], y[420:]),
        {"train": (pairs[:420], y[:420]), "valid": (pairs[420:], y[420:])},
    )


def brackets() -> Trained:
    """The depth of brackets at each place, counted by a GRU."""
    x = torch.randint(0, 2, (900, 24))
    depth = torch.zeros(900, 24, dtype=torch.long)
    now = torch.zeros(900, dtype=torch.long)
    for t in range(24):
        x[:, t] = torch.where(now == 0, 0, torch.where(now == 5, 1, x[:, t]))
        now = now + 1 - 2 * x[:, t]
        depth[:, t] = now

    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.gru = nn.Embedding(2, 8), nn.GRU(8, 32, batch_first=True)
            self.out = nn.Linear(32, 6)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.gru(self.embedding(x))[0])

    model = Counter()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(700, 35, 12):
            out = model(x[chosen])
            loss = F.cross_entropy(out.flatten(0, 1), depth[chosen].flatten())
            descend(watch, optimizer, loss, depth[chosen])
    with torch.no_grad():
        right = (model(x[700:]).argmax(2) == depth[700:]).double().mean()
    return Trained(watch, float(right))


def parity() -> Trained:
    """Whether ones are even in number: short rows first, then longer ones."""

    class Machine(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.out = nn.LSTM(1, 24, batch_first=True), nn.Linear(24, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.rnn(x[..., None])[0]).squeeze(2)

    model = Machine()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for step in range(600):
            length = 2 + step // 75
            bits = torch.randint(0, 2, (64, length)).float()
            target = bits.cumsum(1) % 2
            loss = F.binary_cross_entropy_with_logits(model(bits), target)
            descend(watch, optimizer, loss, target)
    bits = torch.randint(0, 2, (500, 10)).float()
    with torch.no_grad():
        right = ((model(bits) > 0) == (bits.cumsum(1) % 2 > 0.5)).double().mean()
    return Trained(watch, 2 * float(right) - 1)


def copied() -> Trained:
    """A string, a blank, and the string again; what comes before the blank does not count."""
    letters, length = 8, 6

    def draw(count: int) -> tuple[Tensor, Tensor]:
        string = torch.randint(1, letters, (count, length))
        x = torch.cat([string, torch.zeros(count, 1, dtype=torch.long), string[:, :-1]], 1)
        y = torch.cat([torch.full((count, length), -100), string], 1)
        return x, y

    class Copy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(letters, 32)
            self.places = nn.Parameter(0.1 * torch.randn(2 * length, 32))
            layer = nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True, norm_first=True)
            self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.out = nn.Linear(32, letters)
            self.register_buffer("later", torch.ones(2 * length, 2 * length).triu(1).bool())

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.body(self.embedding(x) + self.places, mask=self.later))

    model = Copy()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: min(1.0, (i + 1) / 50))
    with ss.watch(model, optimizer) as watch:
        for _ in range(400):  # each string is seen once
            x, y = draw(48)
            loss = F.cross_entropy(model(x).mT, y, ignore_index=-100)
            descend(watch, optimizer, loss, y)
            warm.step()
    x, y = draw(300)
    with torch.no_grad():
        right = (model(x).argmax(2) == y)[:, length:].double().mean()
    return Trained(watch, float(right))


def ranks_of_numbers() -> Trained:
    """The rank of each of eight numbers, from its differences to the others."""
    x = torch.rand(1500, 8)
    y = x.argsort(1).argsort(1)

    class Ranks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.compare, self.decide = dense(1, 32, 16), dense(16, 64, 8)

        def forward(self, x: Tensor) -> Tensor:
            return self.decide(self.compare(5 * (x[:, :, None] - x[:, None])[..., None]).sum(2))

    model = Ranks()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 40, 30):
            loss = F.cross_entropy(model(x[chosen]).flatten(0, 1), y[chosen].flatten())
            descend(watch, optimizer, loss, y[chosen])
    with torch.no_grad():
        right = (model(x[1200:]).argmax(2) == y[1200:]).double().mean()
    return Trained(watch, float(right))


CASES = [
    healthy("remainders under strong decay", remainders),
    healthy("the depth of brackets", brackets),
    healthy("parity, short rows first", parity),
    healthy("strings copied", copied),
    healthy("ranks of numbers", ranks_of_numbers),
]
