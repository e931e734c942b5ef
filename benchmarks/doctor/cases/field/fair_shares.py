"""Groups of samples that are all to be served: the worst of them, or each alike."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy
from benchmarks.doctor.networks import dense


def applicants(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Six columns, who should be invited, and the group, which one column gives away."""
    group = (torch.rand(count) < 0.3).long()
    x = torch.randn(count, 6)
    merit = x[:, 0] + x[:, 1]
    x[:, 2] = group + 0.3 * x[:, 2]
    return x, (merit + 0.5 * group - 0.2 > 0).long(), group


def the_worst_group() -> Trained:
    """Four groups, weighed by how badly they are served; the score is the worst one's.

    A column that is mostly right for three of the groups is wrong for the smallest.
    """
    y = torch.randint(2, (2400,))
    odd = (torch.rand(2400) < 0.12).long()
    group = 2 * y + odd
    hint = torch.where(odd == 1, 1 - y, y).float() * 2 - 1
    core = (y.float() * 2 - 1)[:, None] * torch.tensor([1.0, 0.8]) + 0.6 * torch.randn(2400, 2)
    x = torch.cat([core, 2 * hint[:, None], torch.randn(2400, 3)], 1)
    model = dense(6, 16, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    weights = torch.full((4,), 0.25)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(2000, 100, 12):
            losses = F.cross_entropy(model(x[rows]), y[rows], reduction="none")
            member = F.one_hot(group[rows], 4).float()
            each = (losses @ member) / member.sum(0).clamp(1)
            weights = F.normalize(weights * (0.05 * each.detach()).exp(), p=1, dim=0)
            descend(watch, optimizer, (weights * each).sum(), y[rows])
    with torch.no_grad():
        hit = (model(x[2000:]).argmax(1) == y[2000:]).double()
    return Trained(watch, min(float(hit[group[2000:] == g].mean()) for g in range(4)))


def invited_alike() -> Trained:
    """Both groups are invited as often: the price of a difference climbs by its own optimizer.

    Scored by the share of right ones less what is left of the difference.
    """
    x, y, group = applicants(2400)
    model = dense(6, 24, 1, activation=nn.Tanh)
    price = nn.Parameter(torch.zeros(()))
    descent = torch.optim.Adam(model.parameters(), lr=5e-3)
    ascent = torch.optim.SGD([price], lr=0.1, maximize=True)
    with ss.watch(model, [descent, ascent]) as watch:
        for rows in batches(2000, 100, 15):
            output = model(x[rows])[:, 0]
            chance = output.sigmoid()
            gap = chance[group[rows] == 1].mean() - chance[group[rows] == 0].mean()
            error = F.binary_cross_entropy_with_logits(output, y[rows].float())
            loss = error + price * gap
            descent.zero_grad()
            ascent.zero_grad()
            loss.backward()
            descent.step()
            ascent.step()
            watch.step(loss)
    with torch.no_grad():
        invited = model(x[2000:])[:, 0] > 0
    others = group[2000:]
    gap = invited[others == 1].double().mean() - invited[others == 0].double().mean()
    right = (invited == (y[2000:] == 1)).double().mean()
    return Trained(watch, float(right - gap.abs()))


class Reversed(torch.autograd.Function):
    """x -> x, whose gradient goes back the other way."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> Tensor:
        return -grads[0]


class Discreet(nn.Module):
    """A code that says who should be invited, and as little as may be of the group."""

    def __init__(self) -> None:
        super().__init__()
        self.code = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 8), nn.Tanh())
        self.answer, self.spy = nn.Linear(8, 2), dense(8, 16, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        code = self.code(x)
        return self.answer(code), self.spy(Reversed.apply(code))  # type: ignore[no-untyped-call]


def a_spy_that_should_fail() -> Trained:
    """The spy's loss stays high, and that is what is wanted."""
    x = torch.randn(2000, 6)
    group = (x[:, 2] > 0).long()
    y = (x[:, 0] - x[:, 1] + 0.3 * x[:, 3] > 0).long()
    model = Discreet()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(1600, 40, 10):
            answer, guess = model(x[rows])
            wanted = F.cross_entropy(answer, y[rows])
            unwanted = F.cross_entropy(guess, group[rows])
            parts = {"answer": wanted, "spy": 0.5 * unwanted}
            descend(watch, optimizer, wanted + 0.5 * unwanted, parts=parts)
    with torch.no_grad():
        answer, _ = model.eval()(x[1600:])
    return Trained(watch, float((answer.argmax(1) == y[1600:]).double().mean()))


CASES = [
    healthy("the worst group weighed most", the_worst_group),
    healthy("two groups invited alike, at a price", invited_alike),
    healthy("a spy that learns backwards", a_spy_that_should_fail),
]
