"""Cases whose fault shows in what the trained network answers."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.healthy import small
from benchmarks.doctor.cases.published import adam
from benchmarks.doctor.loop import Case, Pair, Setup

Halves = tuple[Pair, Pair]
Build = Callable[[int], Setup]


def sums(steps: int = 20) -> Halves:
    """Sequences of 3 numbers a step; is the sum of the first ones, over 12 steps, above 0?"""
    x = torch.randn(1400, steps, 3)
    y = (x[:, :12, 0].sum(1) > 0).long()
    return (x[:1100], y[:1100]), (x[1100:], y[1100:])


class Recurrent(nn.Module):
    """One step of a recurrent layer, and a linear layer on it."""

    def __init__(self, layer: nn.Module, width: int, step: int = -1) -> None:
        super().__init__()
        self.layer, self.out, self.step = layer, nn.Linear(width, 2), step

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.out(self.layer(x)[0][:, self.step])
        return answer


def recurrent(layer: type[nn.Module], batch_first: bool = True, step: int = -1) -> Build:
    def build(seed: int) -> Setup:
        torch.manual_seed(seed)
        train, valid = sums()
        model = Recurrent(layer(3, 24, batch_first=batch_first), 24, step)
        return Setup(model, adam(model, 5e-3), F.cross_entropy, train, valid, batch=50, epochs=12)

    return build


class Dropping(nn.Module):
    """Dropout as a function, which works in evaluation mode, too, where nobody says otherwise."""

    def __init__(self, always: bool) -> None:
        super().__init__()
        self.always = always
        self.first, self.out = nn.Linear(64, 64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.relu(self.first(x))
        answer: Tensor = self.out(F.dropout(hidden, 0.5, training=self.always or self.training))
        return answer


def successors(count: int, words: int = 12, length: int = 13) -> Tensor:
    """Sequences of words of which each calls for the next one, in 7 of 10 places [N, T]."""
    follows = torch.randperm(words, generator=torch.Generator().manual_seed(5))
    sequences = torch.randint(words, (count, length))
    for place in range(1, length):
        called = torch.rand(count) < 0.7
        sequences[called, place] = follows[sequences[called, place - 1]]
    return sequences


class Words(nn.Module):
    """The next word at each place, by attention to all places or to those before."""

    def __init__(self, masked: bool, words: int = 12, length: int = 12) -> None:
        super().__init__()
        self.masked = masked
        self.words, self.places = nn.Embedding(words, 24), nn.Embedding(length, 24)
        self.layer = nn.TransformerEncoderLayer(24, 2, 48, 0.0, batch_first=True)
        self.out = nn.Linear(24, words)

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length) if self.masked else None
        hidden = self.words(x) + self.places(torch.arange(length))
        answer: Tensor = self.out(self.layer(hidden, src_mask=mask))
        return answer


def next_word(masked: bool) -> Build:
    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output.flatten(0, 1), target.flatten())

    def build(seed: int) -> Setup:
        torch.manual_seed(seed)
        x = successors(1000)
        train, valid = (x[:800, :-1], x[:800, 1:]), (x[800:, :-1], x[800:, 1:])
        model = Words(masked)
        return Setup(model, adam(model, 5e-3), loss_fn, train, valid, batch=40, epochs=8)

    return build


class Marks(nn.Module):
    """Which mark stood in a padded sequence, by the last step of a GRU, or the last word's."""

    def __init__(self, padding: bool) -> None:
        super().__init__()
        self.words, self.padding = nn.Embedding(12, 12, padding_idx=0), padding
        self.layer, self.out = nn.GRU(12, 24, batch_first=True), nn.Linear(24, 3)

    def forward(self, x: Tensor) -> Tensor:
        hidden, last = self.layer(self.words(x))[0], (x != 0).sum(1) - 1
        read = hidden[:, -1] if self.padding else hidden[torch.arange(len(x)), last]
        answer: Tensor = self.out(read)
        return answer


def marked(padding: bool) -> Build:
    def build(seed: int) -> Setup:
        torch.manual_seed(seed)
        lengths = torch.randint(4, 12, (1200, 1))
        x = torch.randint(4, 12, (1200, 60)) * (torch.arange(60) < lengths)
        y = torch.randint(3, (1200,))
        x[torch.arange(1200), (torch.rand(1200) * lengths[:, 0]).long()] = 1 + y
        model = Marks(padding)
        train, valid = (x[:1000], y[:1000]), (x[1000:], y[1000:])
        return Setup(model, adam(model, 5e-3), F.cross_entropy, train, valid, batch=50, epochs=7)

    return build


SIDE = 12  # pixels of a picture


def coloured() -> Halves:
    """Pictures [height, width, 3] as rows of numbers; which of 4 corners has the bright spot?"""
    noise = F.avg_pool2d(torch.randn(3 * 1200, 1, SIDE + 4, SIDE + 4), 5, 1)
    pictures = 2 * noise.view(1200, 3, SIDE, SIDE)
    y = torch.randint(4, (1200,))
    at = torch.arange(SIDE)
    for i, corner in enumerate(y.tolist()):
        row, column = (3 + 6 * (corner // 2), 3 + 6 * (corner % 2))
        spot = torch.exp(-((at[:, None] - row) ** 2 + (at[None] - column) ** 2) / 6.0)
        pictures[i] += torch.rand(3, 1, 1) * spot
    x = pictures.permute(0, 2, 3, 1).reshape(1200, -1)
    return (x[:900], y[:900]), (x[900:], y[900:])


class Convolutional(nn.Module):
    """Reads rows of numbers as pictures: `moves` their axes, or only cuts the numbers up."""

    def __init__(self, moves: bool) -> None:
        super().__init__()
        self.moves = moves
        self.layers = nn.Sequential(
            *(nn.Conv2d(3, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(24 * 9, 4)),
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.moves:
            pictures = x.view(-1, SIDE, SIDE, 3).permute(0, 3, 1, 2)
        else:
            pictures = x.view(-1, 3, SIDE, SIDE)
        answer: Tensor = self.layers(pictures)
        return answer


def reading(moves: bool) -> Build:
    def build(seed: int) -> Setup:
        torch.manual_seed(seed)
        train, valid = coloured()
        model = Convolutional(moves)
        return Setup(model, adam(model, 2e-3), F.cross_entropy, train, valid, batch=50, epochs=8)

    return build


class Beginning(nn.Module):
    """Whether the first of a sequence of words is one of the latter half, by attention."""

    def __init__(self, positions: bool) -> None:
        super().__init__()
        self.words = nn.Embedding(12, 24)
        self.places = nn.Embedding(10, 24) if positions else None
        self.layer = nn.TransformerEncoderLayer(24, 2, 48, 0.0, batch_first=True)
        self.out = nn.Linear(24, 2)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.words(x)
        if self.places is not None:
            hidden = hidden + self.places(torch.arange(x.shape[1]))
        answer: Tensor = self.out(self.layer(hidden).mean(1))
        return answer


def beginning(positions: bool) -> Build:
    def build(seed: int) -> Setup:
        torch.manual_seed(seed)
        x = torch.randint(12, (1500, 10))
        y = (x[:, 0] > 5).long()
        model = Beginning(positions)
        train, valid = (x[:1200], y[:1200]), (x[1200:], y[1200:])
        return Setup(model, adam(model, 3e-3), F.cross_entropy, train, valid, batch=50, epochs=12)

    return build


CASES = [
    Case(
        "beginnings: attention without positions",
        "faulty",
        build=beginning(False),
        conditions=("order_blind",),
        twin="beginnings: attention",
    ),
    Case("beginnings: attention", "cured", conditions=(), build=beginning(True)),
    Case(
        "marks: the last step of the padding is read",
        "faulty",
        build=marked(True),
        conditions=("padding_read",),
        twin="marks: the last word is read",
    ),
    Case("marks: the last word is read", "cured", conditions=(), build=marked(False)),
    Case(
        "coloured pictures: view in place of permute",
        "faulty",
        build=reading(False),
        conditions=("inputs_scrambled",),
        twin="coloured pictures: permuted",
        structural=True,
    ),
    Case("coloured pictures: permuted", "cured", conditions=(), build=reading(True)),
    Case(
        "words: no causal mask",
        "faulty",
        build=next_word(False),
        conditions=("target_in_input",),
        twin="words: a causal mask",
        structural=True,
    ),
    Case("words: a causal mask", "cured", conditions=(), build=next_word(True)),
    Case(
        "digits: functional dropout, always on",
        "faulty",
        build=small(lambda: Dropping(True), adam),
        conditions=("mode_mismatch",),
        twin="digits: functional dropout",
        structural=True,
    ),
    Case(
        "digits: functional dropout",
        "cured",
        conditions=(),
        build=small(lambda: Dropping(False), adam),
    ),
    Case(
        "sums: LSTM, time and batch exchanged",
        "faulty",
        build=recurrent(nn.LSTM, batch_first=False),
        conditions=("samples_mixed",),
        twin="sums: LSTM",
        structural=True,
    ),
    Case("sums: LSTM", "cured", conditions=(), build=recurrent(nn.LSTM)),
    Case(
        "sums: GRU, the first step is read",
        "faulty",
        build=recurrent(nn.GRU, step=0),
        conditions=("input_not_used",),
        twin="sums: GRU",
        structural=True,
    ),
    Case("sums: GRU", "cured", conditions=(), build=recurrent(nn.GRU)),
]
