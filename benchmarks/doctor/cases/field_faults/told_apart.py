"""What belongs together and what does not: views, nodes, words, kinds that are rare, boxes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense


def most_like_itself(cured: bool, watch: Watch) -> Trained:
    """Two views of each sample, to be told from all others; each code is among these itself."""
    things, mixing = torch.randn(800, 6), torch.randn(6, 20)
    model = dense(20, 64, 16)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def view(thing: Tensor) -> Tensor:
        return torch.tanh(0.4 * thing @ mixing) + 0.4 * torch.randn(len(thing), 20)

    with watch(model, optimizer) as watching:
        for _ in range(300):
            thing = things[torch.randint(600, (48,))]
            code = F.normalize(model(torch.cat([view(thing), view(thing)])), dim=1)
            likeness, other = code @ code.T / 0.2, torch.arange(96)
            if cured:
                likeness = likeness.masked_fill(torch.eye(96, dtype=torch.bool), -1e9)
                other = (other + 48) % 96
            loss = F.cross_entropy(likeness, other)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watching.step(loss)
    with torch.no_grad():
        one, two = (F.normalize(model(view(things[600:])), dim=1) for _ in range(2))
    return Trained(watching, right(one @ two.T, torch.arange(200)))


class Rounds(nn.Module):
    """Nodes [N, 6] hear their neighbours [N, N] several times before each layer: [N, 3]"""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.into = nn.Linear(6, 24)
        self.layers = nn.ModuleList(nn.Linear(24, 24) for _ in range(2))
        self.out, self.count = nn.Linear(24, 3), count

    def forward(self, x: Tensor, neighbours: Tensor) -> Tensor:
        h = torch.relu(self.into(x))
        for layer in self.layers:
            for _ in range(self.count):
                h = neighbours @ h
            h = torch.relu(layer(h))
        out: Tensor = self.out(h)
        return out


def heard_too_often(cured: bool, watch: Watch) -> Trained:
    """Each node takes the mean of its neighbours once before each layer, or forty times."""
    y = torch.randint(3, (300,))
    x = torch.randn(300, 6) + 1.2 * F.one_hot(y, 6)
    chance = 0.008 + 0.04 * (y[:, None] == y)
    joined = (torch.rand(300, 300) < chance).float()
    joined = ((joined + joined.T) > 0).float() + torch.eye(300)
    neighbours = joined / joined.sum(1, keepdim=True)
    model = Rounds(1 if cured else 40)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for _ in range(150):
            loss = F.cross_entropy(model(x, neighbours)[:150], y[:150])
            descend(watching, optimizer, loss, y[:150])
    with torch.no_grad():
        score = right(model(x, neighbours)[150:], y[150:])
    return Trained(watching, score)


class Bag(nn.Module):
    """A sum of words, [B, T] -> [B, 2]"""

    def __init__(self, padding: int | None) -> None:
        super().__init__()
        self.words, self.out = nn.Embedding(8, 12, padding_idx=padding), dense(12, 24, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.words(x).sum(1))
        return out


def word_for_padding(cured: bool, watch: Watch) -> Trained:
    """Does word 3 come more often than word 4? Word 3 is taken for padding."""
    x = torch.randint(8, (1500, 10))
    y = ((x == 3).sum(1) > (x == 4).sum(1)).long()
    model = Bag(None if cured else 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:1100], y[:1100], 8)
    with torch.no_grad():
        score = right(model(x[1100:]), y[1100:])
    return Trained(watching, score, known(x, y, 1100, F.cross_entropy))


def made_up_for_twice(cured: bool, watch: Watch) -> Trained:
    """A rare kind is drawn sixty times as often, and weighs sixty times as much as well."""
    x = torch.randn(3000, 6)
    y = (x[:, 0] + 0.8 * x[:, 1] + 0.6 * torch.randn(3000) > 2.1).long()
    weight = torch.tensor([1.0, 60.0])
    often = torch.ones(2400) if cured else weight[y[:2400]]
    loss_fn = nn.CrossEntropyLoss(weight=None if cured else weight)
    model = dense(6, 24, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for _ in range(300):
            chosen = torch.multinomial(often, 32, replacement=True)
            descend(watching, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = right(model(x[2400:]), y[2400:])
    return Trained(watching, score, known(x, y, 2400, F.cross_entropy))


def two_kinds_of_boxes(cured: bool, watch: Watch) -> Trained:
    """A box in a picture: taught as a corner and its sizes, and judged as two corners."""
    corner, size = torch.randint(6, (1200, 2)), torch.randint(2, 6, (1200, 2))
    x = 0.2 * torch.randn(1200, 1, 12, 12)
    for picture, (top, left), (height, width) in zip(
        x, corner.tolist(), size.tolist(), strict=True
    ):
        picture[0, top : top + height, left : left + width] += 1
    corners = torch.cat([corner, corner + size], 1) / 12
    taught = corners if cured else torch.cat([corner, size], 1) / 12
    y = torch.cat([taught[:900], corners[900:]])
    model = nn.Sequential(nn.Flatten(), dense(144, 96, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:900], y[:900], 25)
    with torch.no_grad():
        score = explained(model(x[900:]), y[900:])
    return Trained(watching, score, known(x, y, 900, F.mse_loss))


def flipped(cured: bool, watch: Watch) -> Trained:
    """On which side of a picture is the bar? Half of the pictures are turned round by chance."""
    y = torch.randint(4, (1200,))
    x = 0.4 * torch.randn(1200, 1, 8, 8)
    bars = torch.zeros(4, 8, 8)
    bars[0, :, :2] = bars[1, :, 6:] = bars[2, :2] = bars[3, 6:] = 1
    x += bars[y][:, None]
    model = nn.Sequential(nn.Flatten(), dense(64, 32, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(900, 30, 10):
            seen = x[chosen]
            for axis in () if cured else (2, 3):
                turned = torch.rand(len(seen), 1, 1, 1) < 0.5
                seen = torch.where(turned, seen.flip(axis), seen)
            descend(watching, optimizer, F.cross_entropy(model(seen), y[chosen]), y[chosen])
    with torch.no_grad():
        score = right(model(x[900:]), y[900:])
    return Trained(watching, score, known(x, y, 900, F.cross_entropy))


class Attentive(nn.Module):
    """What the first word hears of the others, [B, T] -> [B, 2]"""

    def __init__(self, turned: bool) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(12, 16), nn.Embedding(14, 16)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.out, self.turned = dense(16, 32, 2), turned

    def forward(self, x: Tensor) -> Tensor:
        h = self.words(x) + self.places(torch.arange(x.shape[1]))
        blocked = x != 0 if self.turned else x == 0
        out: Tensor = self.out(self.attention(h, h, h, key_padding_mask=blocked)[0][:, 0])
        return out


def deaf_to_words(cured: bool, watch: Watch) -> Trained:
    """Are most words below 6? The mask of padding is True where there are words."""
    size, share = torch.randint(2, 14, (1500, 1)), torch.rand(1500, 1)
    low, high = torch.randint(1, 6, (1500, 14)), torch.randint(6, 12, (1500, 14))
    x = torch.where(torch.rand(1500, 14) < share, low, high)
    x[torch.arange(14) >= size] = 0
    y = (2 * ((x > 0) & (x < 6)).sum(1) > size[:, 0]).long()
    model = Attentive(not cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:1100], y[:1100], 8)
    with torch.no_grad():
        score = right(model(x[1100:]), y[1100:])
    return Trained(watching, score, known(x, y, 1100, F.cross_entropy))


PAIRS = [
    Pair(
        "views of which each is most like itself",
        "views without themselves",
        ("target_in_input",),
        most_like_itself,
        0.3,
        0.4,
    ),
    Pair(
        "nodes that hear each other forty times",
        "nodes that hear each other once",
        ("representation_collapsed", "input_not_used"),
        heard_too_often,
        0.6,
        0.75,
    ),
    Pair(
        "a word that is taken for padding",
        "words of which none is padding",
        ("parameters_not_updated",),
        word_for_padding,
        0.93,
        0.95,
    ),
    Pair(
        "a rare kind made up for twice",
        "a rare kind as it comes",
        ("class_imbalance",),
        made_up_for_twice,
        0.8,
        0.88,
    ),
    Pair(
        "boxes taught by sizes and judged by corners",
        "boxes taught and judged by corners",
        ("train_valid_mismatch",),
        two_kinds_of_boxes,
        0.6,
        0.75,
    ),
    Pair(
        "sides of pictures that are flipped",
        "sides of pictures as they are",
        ("label_noise", "labels_unrelated", "train_valid_mismatch"),
        flipped,
        0.7,
        0.9,
    ),
    Pair(
        "attention that is deaf to words",
        "attention that is deaf to padding",
        ("input_not_used", "padding_read"),
        deaf_to_words,
        0.86,
        0.88,
    ),
]
