"""Likeness: pairs with their marks exchanged, a tower that stands still, one point for all."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained
from benchmarks.doctor.cases.field_faults.drawn import clouds
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch
from benchmarks.doctor.networks import dense


def nearest_is_of_its_kind(codes: Tensor, y: Tensor) -> float:
    """The share of samples whose nearest other one is of their kind, less what luck gives."""
    if not bool(codes.isfinite().all()):
        return -1.0
    apart = torch.cdist(codes, codes).fill_diagonal_(torch.inf)
    # equal distances are no likeness: they are told apart by luck
    apart = apart + 1e-6 * apart[apart.isfinite()].mean() * torch.rand_like(apart)
    if float(codes.std(0).max()) < 1e-4:
        return 0.0
    return float((y[apart.argmin(1)] == y).double().mean())


def finds_its_partner(a: Tensor, b: Tensor) -> float:
    """The share of rows of `a` that are nearest to their own row of `b`, by cosine."""
    likeness = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T
    if not bool(likeness.isfinite().all()):
        return -1.0
    return float((likeness.argmax(1) == torch.arange(len(a))).double().mean())


def drowned_clouds() -> tuple[Tensor, Tensor]:
    """Eight kinds [900, 16] in four of sixteen columns; the others are louder."""
    x, y = clouds(900, 8, 4, 2.0)
    return torch.cat([x, 5 * torch.randn(900, 12)], 1), y


def one_step(watching: Any, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watching.step(loss)


def same_means_apart(cured: bool, watch: Watch) -> Trained:
    """In the formula 1 marks a pair that is alike, in the data 1 marks one that is not."""
    x, y = drowned_clouds()
    model = dense(16, 48, 6)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    with watch(model, optimizer) as watching:
        for _ in range(250):
            i, others = torch.randint(700, (64,)), torch.randint(700, (64, 40))
            own = (y[others] == y[i, None]).float()
            wish = (torch.rand(64, 1) < 0.5).float()
            # the first of forty that is of the wished kind
            j = others.gather(1, (own == wish).float().argmax(1, keepdim=True))[:, 0]
            mark = (y[i] == y[j]).float()
            mark = mark if cured else 1 - mark
            gap = (model(x[i]) - model(x[j])).square().sum(1).add(1e-6).sqrt()
            loss = (mark * gap**2 + (1 - mark) * F.relu(2.0 - gap) ** 2).mean()
            one_step(watching, optimizer, loss)
    with torch.no_grad():
        return Trained(watching, nearest_is_of_its_kind(model(x[700:]), y[700:]))


def views(count: int) -> tuple[Tensor, Tensor]:
    """Two sides [N, 10] and [N, 14] of the same hidden four numbers."""
    hidden = torch.randn(count, 4)
    a = torch.tanh(hidden @ torch.randn(4, 10)) + 0.05 * torch.randn(count, 10)
    b = torch.sin(hidden @ torch.randn(4, 14)) + 0.05 * torch.randn(count, 14)
    return a, b


class Towers(nn.Module):
    """A network for each side."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.left, self.right = dense(10, 48, width), dense(14, 48, width)

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return self.left(a), self.right(b)


def match(watch: Watch, loss_of: Any) -> Trained:
    a, b = views(900)
    model = Towers()
    optimizer = torch.optim.AdamW(model.parameters(), 4e-3)
    with watch(model, optimizer) as watching:
        for _ in range(250):
            chosen = torch.randint(800, (64,))
            one_step(watching, optimizer, loss_of(*model(a[chosen], b[chosen])))
    with torch.no_grad():
        return Trained(watching, finds_its_partner(*model.eval()(a[800:], b[800:])))


def only_alike(cured: bool, watch: Watch) -> Trained:
    """Partners are drawn together, and nothing keeps the others apart: one point serves all."""

    def loss_of(a: Tensor, b: Tensor) -> Tensor:
        near = F.mse_loss(a, b)
        if not cured:
            return near
        for z in (a, b):
            spread = z.var(0)
            near = near + F.relu(1 - (spread + 1e-4).sqrt()).mean()
            near = near + (torch.cov(z.T) - torch.diag(spread)).square().sum() / 160
        return near

    return match(watch, loss_of)


def each_column_normalised(cured: bool, watch: Watch) -> Trained:
    """`normalize` over the rows of the batch: a code depends on who else is there."""
    a, b = views(900)

    class Normed(Towers):
        def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
            axis = 1 if cured else 0
            left, right = super().forward(a, b)
            return F.normalize(left, dim=axis), F.normalize(right, dim=axis)

    model = Normed()
    optimizer = torch.optim.Adam(model.parameters(), 4e-3)
    with watch(model, optimizer) as watching:
        for _ in range(200):
            chosen = torch.randint(800, (64,))
            left, other = model(a[chosen], b[chosen])
            loss = F.cross_entropy(left @ other.T / 0.1, torch.arange(64))
            one_step(watching, optimizer, loss)
    with torch.no_grad():
        # used as they will be: a query at a time against all that is stored
        store = model(a[800:], b[800:])[1]
        asked = torch.cat([model(a[i : i + 1], b[i : i + 1])[0] for i in range(800, 900)])
        hit = ((asked @ store.T).argmax(1) == torch.arange(100)).double().mean()
    return Trained(watching, float(hit))


def one_tower_stands(cured: bool, watch: Watch) -> Trained:
    """The second tower is called under `no_grad`, to save memory, and its width is small."""
    a, b = views(900)
    left, other = dense(10, 48, 3), dense(14, 48, 3)
    optimizer = torch.optim.Adam([*left.parameters(), *other.parameters()], 5e-3)
    with watch({"left": (left, optimizer), "other": (other, optimizer)}) as watching:
        for _ in range(250):
            chosen = torch.randint(800, (64,))
            with torch.set_grad_enabled(cured):
                codes = other(b[chosen])
            likeness = F.normalize(left(a[chosen]), dim=1) @ F.normalize(codes, dim=1).T
            one_step(watching, optimizer, F.cross_entropy(likeness / 0.1, torch.arange(64)))
    with torch.no_grad():
        return Trained(watching, finds_its_partner(left(a[800:]), other(b[800:])))


PAIRS = [
    Pair(
        "the mark of likeness means apart",
        "the mark of likeness means alike",
        ("loss_sign", "representation_collapsed"),
        same_means_apart,
        0.35,
        0.45,
    ),
    Pair(
        "partners drawn together, nothing apart",
        "partners together, columns spread",
        ("representation_collapsed",),
        only_alike,
        0.2,
        0.3,
    ),
    Pair(
        "codes normalised by columns",
        "codes normalised by rows",
        ("samples_mixed",),
        each_column_normalised,
        0.3,
        0.4,
    ),
    Pair(
        "one tower without gradients",
        "two towers with gradients",
        ("parameters_not_updated",),
        one_tower_stands,
        0.12,
        0.18,
    ),
]
