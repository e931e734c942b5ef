"""What a treatment did, where those who were treated were no random choice."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def patients(count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Columns [N, 5], whether treated [N, 1], what came of it [N, 1], what it did. [N, 1]"""
    x = torch.randn(count, 5)
    treated = torch.bernoulli(torch.sigmoid(1.2 * x[:, :1] - 0.5))
    effect = 1 + torch.tanh(x[:, 1:2]) + 0.5 * x[:, 2:3]
    base = torch.sin(x[:, :1]) + x[:, 3:4]
    return x, treated, base + treated * effect + 0.2 * torch.randn(count, 1), effect


class Arms(nn.Module):
    """A shared body, a head for those who were treated and one for those who were not."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 48), nn.ELU(), nn.Linear(48, 24), nn.ELU())
        self.without, self.treated = dense(24, 16, 1), dense(24, 16, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(x)
        return self.without(h), self.treated(h)


def two_arms() -> Trained:
    """Only the head of what was done has an error to learn from. Scored by the effects."""
    x, treated, y, effect = patients(2400)
    model = Arms()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-4)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(2000, 50, 12):
            y0, y1 = model(x[rows])
            answer = torch.where(treated[rows] > 0.5, y1, y0)
            descend(watch, optimizer, F.mse_loss(answer, y[rows]), y[rows])
    y0, y1 = model(x[2000:])
    return Trained(watch, r2(y1 - y0, effect[2000:]))


def weighed_by_their_chance() -> Trained:
    """A transformed outcome, whose mean is the effect: it is mostly noise."""
    x, _, _, _ = patients(4000)
    chance = torch.sigmoid(0.8 * x[:, :1])
    treated = torch.bernoulli(chance)
    effect = 2 * torch.tanh(x[:, 1:2])
    y = treated * effect + 0.2 * torch.randn(4000, 1)
    outcome = y * (treated / chance - (1 - treated) / (1 - chance))
    model = dense(5, 24, 1, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(3600, 100, 12):
            descend(watch, optimizer, F.mse_loss(model(x[rows]), outcome[rows]), outcome[rows])
    return Trained(watch, r2(model(x[3600:]), effect[3600:]))


def residuals_of_both() -> Trained:
    """What is expected of outcome and dose is learned first; the effect is what links the rests."""
    x = torch.randn(2400, 4)
    dose = torch.sin(x[:, :1]) + x[:, 1:2] + torch.randn(2400, 1)
    effect = 1 + torch.cos(x[:, 2:3])
    y = effect * dose + 2 * x[:, :1] + 0.2 * torch.randn(2400, 1)
    nets = nn.ModuleDict({"dose": dense(4, 32, 1), "y": dense(4, 32, 1), "effect": dense(4, 32, 1)})
    optimizer = torch.optim.Adam(nets.parameters(), lr=5e-3)
    with ss.watch(nets, optimizer) as watch:
        for rows in batches(2000, 50, 25):
            d, o = nets["dose"](x[rows]), nets["y"](x[rows])
            first = F.mse_loss(d, dose[rows]) + F.mse_loss(o, y[rows])
            rest = (y[rows] - o.detach()) - nets["effect"](x[rows]) * (dose[rows] - d.detach())
            second = rest.square().mean()
            descend(watch, optimizer, first + second, parts={"nuisance": first, "effect": second})
    return Trained(watch, r2(nets["effect"](x[2000:]), effect[2000:]))


CASES = [
    healthy("two arms of a treatment", two_arms),
    healthy("outcomes weighed by the chance of a treatment", weighed_by_their_chance),
    healthy("what links two rests", residuals_of_both),
]
