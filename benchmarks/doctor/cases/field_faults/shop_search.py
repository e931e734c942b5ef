"""Searches in a shop: which products answer them, which are clicked and which are bought."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known, right


def searches(count: int) -> tuple[Tensor, Tensor]:
    """Searches [count, 12] and the products [count, 12] for them: two views of a meaning."""
    meaning = torch.randn(count, 5)
    one, other = torch.randn(5, 12), torch.randn(5, 12)
    return (
        torch.tanh(meaning @ one) + 0.07 * torch.randn(count, 12),
        torch.tanh(meaning @ other) + 0.07 * torch.randn(count, 12),
    )


def tower() -> nn.Sequential:
    """A code of sixteen numbers."""
    return nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 16))


class Towers(nn.Module):
    """A network for searches and another for products; their codes have length 1."""

    def __init__(self) -> None:
        super().__init__()
        self.search, self.product = tower(), tower()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        searched, product = x.chunk(2, 1)
        return F.normalize(self.search(searched), dim=1), F.normalize(self.product(product), dim=1)


@torch.no_grad()
def first_hit(model: Towers, x: Tensor) -> float:
    """The share of searches whose own product is nearest of all."""
    searched, product = model.eval()(x)
    return right(searched @ product.T, torch.arange(len(x)))


def only_what_fits(cured: bool, watch: Watch) -> Trained:
    """Codes of a search and its product are drawn together, and no others apart."""
    x = torch.cat(searches(1300), 1)
    model = Towers()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for _epoch in range(20):
            for chosen in torch.randperm(1100).split(50):
                optimizer.zero_grad()
                searched, product = model(x[chosen])
                if cured:
                    alike = searched @ product.T / 0.1
                    loss = F.cross_entropy(alike, torch.arange(len(chosen)))
                else:
                    loss = (1 - F.cosine_similarity(searched, product)).mean()
                loss.backward()
                optimizer.step()
                watching.step(loss)
    return Trained(watching, first_hit(model, x[1100:]))


class Scorer(nn.Module):
    """How well a product answers a search, from both. [B, 24] -> [B]"""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(24, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        score: Tensor = self.layers(x).squeeze(1)
        return score


def ranked_upside_down(cured: bool, watch: Watch) -> Trained:
    """The scores of the better and the worse product are given to a ranking loss in the wrong
    order.
    """
    searched, product = searches(1500)
    better = torch.cat([searched, product], 1)
    worse = torch.cat([searched, product.roll(1, 0)], 1)
    model = Scorer()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = nn.MarginRankingLoss(margin=1.0)
    with watch(model, optimizer) as watching:
        for chosen in batches(1200, 40, 15):
            good, bad = model(better[chosen]), model(worse[chosen])
            first, second = (good, bad) if cured else (bad, good)
            loss = criterion(first, second, torch.ones(len(chosen)))
            descend(watching, optimizer, loss)
    with torch.no_grad():
        above = model(better[1200:]) > model(worse[1200:])
    return Trained(watching, float(above.double().mean()))


def balanced(logits: Tensor, y: Tensor) -> float:
    """The mean of the shares of right answers among the clicked and among the others."""
    answer, truth = logits > 0, y > 0.5
    return float((answer == truth)[truth].double().mean() + (~answer)[~truth].double().mean()) / 2


def rarely_clicked(cured: bool, watch: Watch) -> Trained:
    """Three in a hundred of what is shown are clicked, and each counts like any other."""
    count = 4000
    x = torch.randn(count + 3000, 10)
    wish = x @ torch.randn(10) / 10**0.5 + 0.4 * x[:, 0] * x[:, 1]
    wish = wish + 0.7 * torch.randn(len(wish))
    y = (wish > wish.quantile(0.97)).float()
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0))
    weight = torch.tensor(32.0) if cured else None
    criterion = nn.BCEWithLogitsLoss(pos_weight=weight)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with watch(model, optimizer) as watching:
        for _epoch in range(6):
            for shown, clicked in DataLoader(
                TensorDataset(x[:count], y[:count]), batch_size=50, shuffle=True
            ):
                optimizer.zero_grad()
                loss = criterion(model(shown), clicked)
                loss.backward()
                optimizer.step()
                watching.step(loss, target=clicked)
    with torch.no_grad():
        score = balanced(model(x[count:]), y[count:])
    return Trained(watching, score, known(x, y, count, criterion))


class Tastes(nn.Module):
    """A vector for each customer and each product, and the product of the two. [B, 2] -> [B]"""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.customers, self.products = nn.Embedding(60, width), nn.Embedding(50, width)
        nn.init.normal_(self.customers.weight, std=0.5)
        nn.init.normal_(self.products.weight, std=0.5)

    def forward(self, pair: Tensor) -> Tensor:
        return (self.customers(pair[:, 0]) * self.products(pair[:, 1])).sum(1)


def one_number_each(cured: bool, watch: Watch) -> Trained:
    """Tastes of six sides, described by a single number for each customer and product."""
    pairs = torch.cartesian_prod(torch.arange(60), torch.arange(50))[torch.randperm(3000)]
    truth = torch.randn(60, 6) @ torch.randn(6, 50) / 6**0.5
    y = truth[pairs[:, 0], pairs[:, 1]]
    model = Tastes(12 if cured else 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=1e-5)
    with watch(model, optimizer) as watching:
        for _epoch in range(25):
            for chosen in torch.randperm(2500).split(50):
                loss = F.mse_loss(model(pairs[chosen]), y[chosen])
                descend(watching, optimizer, loss, y[chosen])
    with torch.no_grad():
        score = explained(model(pairs[2500:]), y[2500:])
    return Trained(watching, score, known(pairs, y, 2500, F.mse_loss))


def steps_below_a_digit(cured: bool, watch: Watch) -> Trained:
    """Weights are stored as bfloat16, whose eight bits cannot hold steps as small as these."""
    searched, product = searches(1400)
    y = (searched[:, :3] * product[:, :3]).sum(1)
    y = ((y - y.mean()) / y.std())[:, None]
    x = torch.cat([searched, product], 1)
    model: nn.Module = nn.Sequential(nn.Linear(24, 64), nn.ReLU(), nn.Linear(64, 1))
    kind = torch.float32 if cured else torch.bfloat16
    model, x, y = model.to(kind), x.to(kind), y.to(kind)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-4)
    with watch(model, optimizer) as watching:
        for chosen in batches(1100, 20, 30):
            optimizer.zero_grad()
            loss = F.mse_loss(model(x[chosen]), y[chosen])
            loss.backward()
            optimizer.step()
            watching.step(loss, target=y[chosen])
    with torch.no_grad():
        score = explained(model(x[1100:]).float(), y[1100:].float())
    return Trained(watching, score, known(x, y, 1100, F.mse_loss))


PAIRS = [
    Pair(
        "searches: drawn to their products only",
        "searches: drawn to their products of a batch",
        ("representation_collapsed", "loss_unsuited"),
        only_what_fits,
        0.48,
        0.58,
    ),
    Pair(
        "searches: a ranking of the worse before the better",
        "searches: a ranking of the better before the worse",
        ("loss_sign",),
        ranked_upside_down,
        0.3,
        0.8,
    ),
    Pair(
        "searches: clicks of three in a hundred",
        "searches: clicks of three in a hundred, weighed",
        ("class_imbalance",),
        rarely_clicked,
        0.65,
        0.75,
    ),
    Pair(
        "searches: one number for each taste",
        "searches: twelve numbers for each taste",
        ("too_small", "underfitting"),
        one_number_each,
        0.5,
        0.8,
    ),
    Pair(
        "searches: weights of eight bits",
        "searches: weights of twenty-four bits",
        ("updates_rounded_away",),
        steps_below_a_digit,
        0.5,
        0.7,
    ),
]
