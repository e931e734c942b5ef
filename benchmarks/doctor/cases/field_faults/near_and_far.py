"""Embeddings: what is alike is to be near, what is not is to be far."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, fit, known, right


def hidden_kinds(count: int) -> tuple[Tensor, Tensor]:
    """Samples [count, 20] of eight kinds, that differ in 4 columns of the 20; the others are
    louder and say nothing.
    """
    kinds = torch.randint(8, (count,))
    x = 3 * torch.randn(count, 20)
    x[:, :4] = 2.5 * torch.randn(8, 4)[kinds] + 0.5 * torch.randn(count, 4)
    return x / 3, kinds


def embedder() -> nn.Sequential:
    return nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 16))


@torch.no_grad()
def neighbours_alike(codes: Tensor, kinds: Tensor) -> float:
    """How often the nearest other sample is of the same kind; -1 where a code is not finite."""
    if not bool(codes.isfinite().all()):
        return -1.0
    distances = torch.cdist(codes, codes).fill_diagonal_(torch.inf)
    return float((kinds[distances.argmin(1)] == kinds).double().mean())


@torch.no_grad()
def told_apart(codes: Tensor, kinds: Tensor) -> float:
    """The mean of two shares: of couples of a kind those whose cosine is above .65, and of couples
    of two kinds those whose cosine is below.
    """
    near = F.normalize(codes, dim=1) @ F.normalize(codes, dim=1).T > 0.65
    alike = kinds[:, None] == kinds
    return float(near[alike].double().mean() + (~near[~alike]).double().mean()) / 2


def of_the_same_kind(chosen: Tensor, kinds: Tensor) -> Tensor:
    """For each chosen sample another one of its kind, from the first 1000."""
    alike = kinds[chosen][:, None] == kinds[None, :1000]
    return torch.multinomial(alike.float(), 1)[:, 0]


def of_another_kind(chosen: Tensor, kinds: Tensor) -> Tensor:
    unlike = kinds[chosen][:, None] != kinds[None, :1000]
    return torch.multinomial(unlike.float(), 1)[:, 0]


def friends_far_away(cured: bool, watch: Watch) -> Trained:
    """The second and the third argument of the loss of triplets are exchanged."""
    x, kinds = hidden_kinds(1300)
    model = embedder()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    loss_fn = nn.TripletMarginLoss(margin=1.0)
    with watch(model, optimizer) as watching:
        for _ in range(6):
            for chosen in batches(1000, 50, 1):
                anchor = model(x[chosen])
                friend = model(x[of_the_same_kind(chosen, kinds)])
                other = model(x[of_another_kind(chosen, kinds)])
                pair = (friend, other) if cured else (other, friend)
                score = neighbours_alike(anchor, kinds[chosen])
                descend(watching, optimizer, loss_fn(anchor, *pair), score=score)
    return Trained(watching, neighbours_alike(model(x[1000:]), kinds[1000:]))


def couples(chosen: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
    """A partner for each, and whether it is of the same kind: half of them are."""
    same = torch.rand(len(chosen)) < 0.5
    friends, others = of_the_same_kind(chosen, kinds), of_another_kind(chosen, kinds)
    return torch.where(same, friends, others), same.float()


def unlike_is_0(cured: bool, watch: Watch) -> Trained:
    """The cosine loss takes 1 and -1; of a 0 it makes nothing."""
    x, kinds = hidden_kinds(1300)
    model = embedder()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 50, 12):
            partner, same = couples(chosen, kinds)
            target = 2 * same - 1 if cured else same
            loss = F.cosine_embedding_loss(model(x[chosen]), model(x[partner]), target, 0.3)
            descend(watching, optimizer, loss, target)
    return Trained(watching, told_apart(model(x[1000:]), kinds[1000:]))


def only_friends(cured: bool, watch: Watch) -> Trained:
    """Two views of each kind are drawn together; the others of the batch push apart, or nothing."""
    x, kinds = hidden_kinds(1300)
    model = embedder()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 50, 15):
            one = F.normalize(model(x[chosen]), dim=1)
            two = F.normalize(model(x[of_the_same_kind(chosen, kinds)]), dim=1)
            loss = (one - two).square().sum(1).mean()
            if cured:
                alike = (kinds[chosen][:, None] == kinds[chosen]).float()
                scores = one @ two.T / 0.2
                loss = F.cross_entropy(scores, alike / alike.sum(1, keepdim=True))
            descend(watching, optimizer, loss)
    return Trained(watching, told_apart(model(x[1000:]), kinds[1000:]))


class Siamese(nn.Module):
    """The chance that two samples are not of a kind, from their distance; `shift`: the distance at
    which it is a half is learnt.
    """

    def __init__(self, shift: bool) -> None:
        super().__init__()
        self.body = embedder()
        self.halfway = nn.Parameter(torch.tensor(3.0)) if shift else None

    def forward(self, one: Tensor, two: Tensor) -> Tensor:
        distance = (self.body(one) - self.body(two)).square().sum(1).add(1e-6).sqrt()
        return torch.sigmoid(distance if self.halfway is None else distance - self.halfway)


def distance_as_score(cured: bool, watch: Watch) -> Trained:
    """A distance is never negative: its sigmoid is never below a half."""
    x, kinds = hidden_kinds(1300)
    model = Siamese(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 50, 10):
            partner, same = couples(chosen, kinds)
            loss = F.binary_cross_entropy(model(x[chosen], x[partner]), 1 - same)
            descend(watching, optimizer, loss, 1 - same)
    late = torch.arange(1000, 1300)
    partner, same = couples(late, kinds)
    answer = model(x[late], x[partner]) > 0.5
    score = float((answer.float() == 1 - same).double().mean())
    halves: dict[str, Any] = {"valid": ((x[late], x[partner]), 1 - same)}
    return Trained(watching, score, halves)


def root_of_no_distance(cured: bool, watch: Watch) -> Trained:
    """Some samples are paired with themselves; the root has no slope at 0."""
    x, kinds = hidden_kinds(1300)
    model = embedder()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    least = 1e-8 if cured else 0.0
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 50, 10):
            partner, same = couples(chosen, kinds)
            partner = torch.where(torch.rand(50) < 0.02 * same, chosen, partner)
            distance = (model(x[chosen]) - model(x[partner])).square().sum(1).add(least).sqrt()
            apart = (3 - distance).clamp(min=0).square()
            loss = (same * distance.square() + (1 - same) * apart).mean()
            descend(watching, optimizer, loss, same)
    return Trained(watching, neighbours_alike(model(x[1000:]), kinds[1000:]))


class Normalised(nn.Module):
    """How near to the middle of each kind a code is. Its length is 1, or that of each column in
    the batch.
    """

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.body, self.axis = embedder(), axis
        self.middles = nn.Linear(16, 8, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        near: Tensor = self.middles(5 * F.normalize(F.softplus(self.body(x)), dim=self.axis))
        return near


def columns_normalised(cured: bool, watch: Watch) -> Trained:
    """The kinds of new samples, asked for one at a time."""
    x, kinds = hidden_kinds(1300)
    model = Normalised(1 if cured else 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:1000], kinds[:1000], 12, 50)
    with torch.no_grad():
        near = torch.cat([model(sample) for sample in x[1000:].split(1)])
    return Trained(watching, right(near, kinds[1000:]), known(x, kinds, 1000, F.cross_entropy))


PAIRS = [
    Pair(
        "triplets with friend and stranger exchanged",
        "triplets with friend and stranger in order",
        ("loss_sign",),
        friends_far_away,
        0.3,
        0.5,
    ),
    Pair(
        "cosine loss of couples that are 1 or 0",
        "cosine loss of couples that are 1 or -1",
        ("representation_collapsed", "target_out_of_range"),
        unlike_is_0,
        0.6,
        0.75,
    ),
    Pair(
        "views drawn together and nothing pushed apart",
        "views drawn together and the others pushed apart",
        ("representation_collapsed",),
        only_friends,
        0.6,
        0.75,
    ),
    Pair(
        "sigmoid of a distance as the chance to differ",
        "sigmoid of a distance less a half-way as the chance to differ",
        ("output_loss_mismatch", "target_out_of_range"),
        distance_as_score,
        0.65,
        0.75,
    ),
    Pair(
        "distances of samples to themselves by a bare root",
        "distances of samples to themselves by a root that starts above 0",
        ("not_finite",),
        root_of_no_distance,
        0.0,
        0.5,
    ),
    Pair(
        "codes normalised column by column",
        "codes normalised one by one",
        ("samples_mixed",),
        columns_normalised,
        0.7,
        0.8,
    ),
]
