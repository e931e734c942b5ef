"""Who likes what: recommenders."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained

USERS, ITEMS = 60, 50


def likings(count: int) -> tuple[Tensor, Tensor]:
    """Pairs of user and item [count, 2], and how much the one likes the other [count], of spread
    1 or so.
    """
    users, items = torch.randn(USERS, 3), torch.randn(ITEMS, 3)
    who, what = torch.randint(USERS, (count,)), torch.randint(ITEMS, (count,))
    liking = (users[who] * items[what]).sum(1) / 3**0.5
    return torch.stack([who, what], 1), liking + 0.2 * torch.randn(count)


class Factors(nn.Module):
    """A vector of each user and each item, and their product. `ended`: a sigmoid after it."""

    def __init__(self, width: int = 8, spread: float = 0.3, ended: bool = False) -> None:
        super().__init__()
        self.ended = ended
        self.users, self.items = nn.Embedding(USERS, width), nn.Embedding(ITEMS, width)
        self.level = nn.Parameter(torch.zeros(()))
        for table in (self.users, self.items):
            nn.init.normal_(table.weight, std=spread)

    def forward(self, pairs: Tensor) -> Tensor:
        product = (self.users(pairs[:, 0]) * self.items(pairs[:, 1])).sum(1) + self.level
        return product.sigmoid() if self.ended else product


def halves(x: Tensor, y: Tensor, count: int, loss_fn: Any = None) -> dict[str, Any]:
    more = {} if loss_fn is None else {"loss_fn": loss_fn}
    return {"train": (x[:count], y[:count]), "valid": (x[count:], y[count:]), **more}


def stars_by_sigmoid(cured: bool, watch: Watch) -> Trained:
    """One to five stars, from an output between 0 and 1."""
    x, liking = likings(4000)
    stars = (3 + 1.2 * liking).round().clamp(1, 5)
    model = Factors(ended=not cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(3200, 64, 8):
            descend(watching, optimizer, F.mse_loss(model(x[chosen]), stars[chosen]), stars[chosen])
    score = explained(model(x[3200:]), stars[3200:])
    return Trained(watching, score, halves(x, stars, 3200, F.mse_loss))


class TwoTowers(nn.Module):
    """Layers over the user's and the item's vector. `column`: where the user's number is read."""

    def __init__(self, column: int) -> None:
        super().__init__()
        self.column = column
        self.users, self.items = nn.Embedding(USERS, 8), nn.Embedding(ITEMS, 8)
        self.layers = nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 1))

    def forward(self, pairs: Tensor) -> Tensor:
        user, item = self.users(pairs[:, self.column]), self.items(pairs[:, 1])
        liking: Tensor = self.layers(torch.cat([user, item, user * item], 1))
        return liking[:, 0]


def item_for_user(cured: bool, watch: Watch) -> Trained:
    """The item's number is looked up in both tables: who is asked makes no difference."""
    x, liking = likings(4000)
    model = TwoTowers(0 if cured else 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(3200, 64, 10):
            loss = F.mse_loss(model(x[chosen]), liking[chosen])
            descend(watching, optimizer, loss, liking[chosen])
    score = explained(model(x[3200:]), liking[3200:])
    return Trained(watching, score, halves(x, liking, 3200, F.mse_loss))


def vectors_decayed(cured: bool, watch: Watch) -> Trained:
    """A penalty meant for one vector, on whole tables of them."""
    x, liking = likings(4000)
    y = (liking > 0).float()
    model = Factors()
    decay = 1e-5 if cured else 0.1
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=decay)
    with watch(model, optimizer) as watching:
        for chosen in batches(3200, 64, 10):
            loss = F.binary_cross_entropy_with_logits(model(x[chosen]), y[chosen])
            descend(watching, optimizer, loss, y[chosen])
    score = float(((model(x[3200:]) > 0) == (y[3200:] > 0)).double().mean())
    return Trained(watching, score, halves(x, y, 3200, F.binary_cross_entropy_with_logits))


def tables_joined_by_row(cured: bool, watch: Watch) -> Trained:
    """One table is sorted by item before the ratings are put beside it."""
    x, liking = likings(4000)
    if not cured:
        x = torch.cat([part[part[:, 1].argsort()] for part in x.split([3200, 800])])
    model = Factors()
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1)
    with watch(model, optimizer) as watching:
        for chosen in batches(3200, 64, 8):
            loss = F.l1_loss(model(x[chosen]), liking[chosen])
            descend(watching, optimizer, loss, liking[chosen])
    score = explained(model(x[3200:]), liking[3200:])
    return Trained(watching, score, halves(x, liking, 3200, F.l1_loss))


def long_vectors_of_spread_1(cured: bool, watch: Watch) -> Trained:
    """Products of 256 numbers of spread 1 are 16 wide before anything is learnt."""
    x, liking = likings(4000)
    y = (liking > 0).float()
    model = Factors(256, 0.06 if cured else 1.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(3200, 64, 6):
            loss = F.binary_cross_entropy_with_logits(model(x[chosen]), y[chosen])
            descend(watching, optimizer, loss, y[chosen])
    score = float(((model(x[3200:]) > 0) == (y[3200:] > 0)).double().mean())
    return Trained(watching, score, halves(x, y, 3200, F.binary_cross_entropy_with_logits))


PAIRS = [
    Pair(
        "one to five stars from a sigmoid",
        "one to five stars without an end",
        ("target_out_of_range", "output_loss_mismatch"),
        stars_by_sigmoid,
        0.0,
        0.5,
    ),
    Pair(
        "likings from the item's number twice",
        "likings from the user's number and the item's",
        ("input_not_used",),
        item_for_user,
        0.2,
        0.5,
    ),
    Pair(
        "vectors of users under a heavy penalty",
        "vectors of users under a light penalty",
        ("weight_decay_too_strong",),
        vectors_decayed,
        0.62,
        0.75,
    ),
    Pair(
        "ratings beside a table in another order",
        "ratings beside their own table",
        ("labels_unrelated",),
        tables_joined_by_row,
        0.1,
        0.5,
    ),
    Pair(
        "long vectors of spread 1 for users and items",
        "long vectors of small spread for users and items",
        ("output_overconfident",),
        long_vectors_of_spread_1,
        0.7,
        0.75,
    ),
]
