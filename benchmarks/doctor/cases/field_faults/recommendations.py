"""Recommenders of a shop: people, things, clicks and ratings."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense

PEOPLE, THINGS = 60, 40


class Towers(nn.Module):
    """A score of a person with a thing: [B, 2] of ids -> [B]"""

    def __init__(self, both: bool = True) -> None:
        super().__init__()
        self.people, self.things = nn.Embedding(PEOPLE, 8), nn.Embedding(THINGS, 8)
        self.judge = dense(24, 32, 1)
        self.both = both

    def forward(self, ids: Tensor) -> Tensor:
        person, thing = self.people(ids[:, 0]), self.things(ids[:, 1])
        if not self.both:
            thing = self.people(ids[:, 0])
        score: Tensor = self.judge(torch.cat([person, thing, person * thing], 1))[:, 0]
        return score


def ratings(count: int) -> tuple[Tensor, Tensor]:
    """Pairs of ids and what the person thinks of the thing."""
    ids = torch.stack([torch.randint(PEOPLE, (count,)), torch.randint(THINGS, (count,))], 1)
    people, things = torch.randn(PEOPLE, 2), torch.randn(THINGS, 2)
    return ids, (people[ids[:, 0]] * things[ids[:, 1]]).sum(1) + things[ids[:, 1], 0]


def ranking_of_pairs(cured: bool, watch: Watch) -> Trained:
    """The liked thing should stand above a thing drawn at random."""
    ids, _ = ratings(8000)
    other = torch.stack([ids[:, 0], torch.randperm(8000) % THINGS], 1)
    people, things = torch.randn(PEOPLE, 2), torch.randn(THINGS, 2)
    worth = (people[ids[:, 0]] * things[ids[:, 1]]).sum(1)
    worse = (people[other[:, 0]] * things[other[:, 1]]).sum(1)
    swap = (worth < worse)[:, None]
    liked, passed = torch.where(swap, other, ids), torch.where(swap, ids, other)
    model = Towers()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(7000, 100, 8):
            above, below = model(liked[chosen]), model(passed[chosen])
            gap = above - below if cured else below - above
            order = float((above > below).double().mean())
            descend(watching, optimizer, -F.logsigmoid(gap).mean(), score=order)
    with torch.no_grad():
        order = float((model(liked[7000:]) > model(passed[7000:])).double().mean())
    return Trained(watching, order)


def ratings_sorted_apart(cured: bool, watch: Watch) -> Trained:
    """Pairs and ratings each from a loader that shuffles for itself."""
    ids, y = ratings(5000)
    model = Towers()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for _ in range(12):
            order = torch.randperm(4400)
            again = order if cured else torch.randperm(4400)
            for i, j in zip(order.split(50), again.split(50), strict=True):
                loss = F.mse_loss(model(ids[i]), y[j])
                descend(watching, optimizer, loss, y[j])
    score = explained(model(ids[4400:]), y[4400:])
    return Trained(watching, score, known(ids, y, 4400, F.mse_loss))


def person_looked_up_twice(cured: bool, watch: Watch) -> Trained:
    ids, y = ratings(5000)
    model = Towers(both=cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.mse_loss, ids[:4400], y[:4400], 12, 50)
    score = explained(model(ids[4400:]), y[4400:])
    return Trained(watching, score, known(ids, y, 4400, F.mse_loss))


def seconds_listened(cured: bool, watch: Watch) -> Trained:
    ids, y = ratings(5000)
    y = 24000 + 9000 * y
    if cured:
        y = (y - y[:4400].mean()) / y[:4400].std()
    model = Towers()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, ids[:4400], y[:4400], 7, 50)
    score = explained(model(ids[4400:]), y[4400:])
    return Trained(watching, score, known(ids, y, 4400))


class Baskets(nn.Module):
    """What a basket is worth, from its things; 0 fills up to twenty places."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.things = nn.Embedding(THINGS, 16)
        self.memory = nn.RNN(16, 24, batch_first=True)
        self.head = nn.Linear(24, 4)
        self.masked = masked

    def forward(self, basket: Tensor) -> Tensor:
        states, _ = self.memory(self.things(basket))
        last = (basket != 0).sum(1) - 1 if self.masked else torch.full((len(basket),), -1)
        kind: Tensor = self.head(states[torch.arange(len(basket)), last])
        return kind


def last_place_of_the_basket(cured: bool, watch: Watch) -> Trained:
    """The last thing decides what comes next, and fifty empty places follow."""
    basket = torch.randint(1, THINGS, (1500, 60))
    length = torch.randint(2, 10, (1500,))
    basket[torch.arange(60) >= length[:, None]] = 0
    y = basket[torch.arange(1500), length - 1] % 4
    model = Baskets(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.cross_entropy, basket[:1200], y[:1200], 5)
    score = right(model(basket[1200:]), y[1200:])
    return Trained(watching, score, known(basket, y, 1200, F.cross_entropy))


def clicks_and_milliseconds(cured: bool, watch: Watch) -> Trained:
    x = torch.randn(1500, 10)
    click = (x[:, 0] * x[:, 1] + x[:, 2] > 0).float()
    dwell = 8000 * x[:, 3] + 3000 * x[:, 4]
    body, heads = nn.Sequential(nn.Linear(10, 32), nn.ReLU()), nn.Linear(32, 2)
    model = nn.Sequential(body, heads)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(1200, 32, 15):
            out = model(x[chosen])
            first = F.binary_cross_entropy_with_logits(out[:, 0], click[chosen])
            time = dwell[chosen] / 8000 if cured else dwell[chosen]
            second = F.mse_loss(out[:, 1], time)
            parts = {"click": first, "dwell": second}
            descend(watching, optimizer, first + second, parts=parts)
    hit = (model(x[1200:])[:, 0] > 0) == (click[1200:] > 0)
    return Trained(watching, float(hit.double().mean()))


PAIRS = [
    Pair(
        "the passed thing ranked above the liked",
        "the liked thing ranked above the passed",
        ("loss_sign",),
        ranking_of_pairs,
        0.35,
        0.75,
    ),
    Pair(
        "ratings from a loader that shuffles for itself",
        "ratings in the order of their pairs",
        ("labels_unrelated",),
        ratings_sorted_apart,
        0.2,
        0.5,
    ),
    Pair(
        "the person looked up in the place of the thing",
        "person and thing both looked up",
        ("input_not_used",),
        person_looked_up_twice,
        0.4,
        0.7,
    ),
    Pair(
        "milliseconds listened as they are",
        "milliseconds listened standardised",
        ("targets_unscaled",),
        seconds_listened,
        0.6,
        0.7,
    ),
    Pair(
        "state of an RNN after the basket's empty places",
        "state of an RNN after the basket's last thing",
        ("padding_read",),
        last_place_of_the_basket,
        0.5,
        0.8,
    ),
    Pair(
        "milliseconds beside clicks",
        "clicks beside times of about 1",
        ("loss_terms_unbalanced",),
        clicks_and_milliseconds,
        0.75,
        0.82,
    ),
]
