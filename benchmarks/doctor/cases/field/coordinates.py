"""Networks of a place: a picture, a surface or a field is learned by heart, and meant to be."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def grid(side: int) -> Tensor:
    """The places of a picture [side², 2], in -1..1."""
    line = torch.linspace(-1, 1, side)
    return torch.cartesian_prod(line, line)


def picture(at: Tensor) -> Tensor:
    """Stripes, a disk and a slope, as grey values [N, 1] in 0..1."""
    x, y = at[:, :1], at[:, 1:]
    stripes = 0.5 + 0.5 * torch.sin(12 * x + 4 * y)
    disk = ((x - 0.3) ** 2 + (y + 0.2) ** 2 < 0.2).float()
    return 0.5 * stripes + 0.3 * disk + 0.1 * (y + 1)


class Sine(nn.Module):
    """sin(30 (W x + b)), with the start that goes with it."""

    def __init__(self, inputs: int, outputs: int, first: bool = False) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        bound = 1 / inputs if first else math.sqrt(6 / inputs) / 30
        nn.init.uniform_(self.linear.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(30 * self.linear(x))


def sines() -> Trained:
    """A picture by sines; all of its pixels in each step, and nothing kept to judge by."""
    at = grid(40)
    value = picture(at)
    model = nn.Sequential(Sine(2, 64, True), Sine(64, 64), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(250):
            descend(watch, optimizer, F.mse_loss(model(at), value), value)
    return Trained(watch, r2(model(at), value), {"train": (at, value)})


def waves_as_inputs() -> Trained:
    """Fixed waves of the place, then a plain network; judged between the pixels."""
    at, between = grid(36), grid(51)
    waves = 4 * torch.randn(2, 48)

    def features(at: Tensor) -> Tensor:
        return torch.cat([torch.sin(at @ waves), torch.cos(at @ waves)], 1)

    x, y = features(at), picture(at)
    model = dense(96, 64, 64, 1, end=nn.Sigmoid())
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 128, 40):
            descend(watch, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
    return Trained(watch, r2(model(features(between)), picture(between)), {"train": (x, y)})


def table_of_corners() -> Trained:
    """Values at the corners of grids, of which a batch moves only those that it meets."""
    at = grid(48)
    value = picture(at)

    class Corners(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tables = nn.ModuleList(nn.Embedding((s + 1) ** 2, 4) for s in (4, 8, 16))
            for table in self.tables:
                nn.init.uniform_(table.weight, -1e-4, 1e-4)
            self.out = dense(12, 32, 1)

        def forward(self, at: Tensor) -> Tensor:
            values = []
            for side, table in zip((4, 8, 16), self.tables, strict=True):
                place = (at + 1) / 2 * side
                low = place.floor().clamp(max=side - 1)
                part = place - low
                value = torch.zeros(len(at), 4)
                for down in (0, 1):
                    for right in (0, 1):
                        corner = (low[:, 0] + down) * (side + 1) + low[:, 1] + right
                        weight = (part[:, 0] if down else 1 - part[:, 0]) * (
                            part[:, 1] if right else 1 - part[:, 1]
                        )
                        value = value + weight[:, None] * table(corner.long())
                values.append(value)
            return self.out(torch.cat(values, 1))

    model = Corners()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, eps=1e-15)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(at), 128, 15):
            descend(watch, optimizer, F.mse_loss(model(at[chosen]), value[chosen]), value[chosen])
    return Trained(watch, r2(model(at), value))


def signed_distance() -> Trained:
    """How far it is to a shape's border, below 0 within; slopes of length 1 are asked for."""

    def truth(at: Tensor) -> Tensor:
        box = (at.abs() - torch.tensor([0.5, 0.3])).clamp_min(0).norm(dim=1)
        inner = (at.abs() - torch.tensor([0.5, 0.3])).amax(1).clamp_max(0)
        return (box + inner)[:, None]

    model = dense(2, 64, 64, 1, activation=nn.Softplus)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(500):
            at = (2 * torch.rand(128, 2) - 1).requires_grad_()
            said = model(at)
            (slope,) = torch.autograd.grad(said.sum(), at, create_graph=True)
            steep = (slope.norm(dim=1) - 1).square().mean()
            target = truth(at.detach())
            loss = F.l1_loss(said, target) + 0.05 * steep
            descend(watch, optimizer, loss, target)
    at = grid(30)
    return Trained(watch, r2(model(at), truth(at)))


CASES = [
    healthy("a picture by sines", sines),
    healthy("a picture by waves of the place", waves_as_inputs),
    healthy("a picture from corners of grids", table_of_corners),
    healthy("distance to a shape", signed_distance),
]
