"""Grids of cells that change by one rule, learned from what became of them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, descend, healthy, r2


def lives_on(grid: Tensor) -> Tensor:
    """The game of life, on a torus. [B, 1, H, W]"""
    ring = F.pad(grid, (1, 1, 1, 1), mode="circular")
    near = F.avg_pool2d(ring, 3, 1) * 9 - grid
    alive = (near - 3).abs() < 0.5
    return (alive | ((grid > 0.5) & ((near - 2).abs() < 0.5))).float()


def the_game_of_life() -> Trained:
    """Filters of 3 × 3, then of one cell; the score is the share of worlds without a wrong cell."""
    model = nn.Sequential(
        nn.Conv2d(1, 24, 3, padding=1, padding_mode="circular"),
        nn.ReLU(),
        nn.Conv2d(24, 24, 1),
        nn.ReLU(),
        nn.Conv2d(24, 1, 1),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(350):
            grid = (torch.rand(8, 1, 12, 12) < 0.4).float()
            target = lives_on(grid)
            loss = F.binary_cross_entropy_with_logits(model(grid), target)
            descend(watch, optimizer, loss, target)
    grid = (torch.rand(200, 1, 12, 12) < 0.4).float()
    with torch.no_grad():
        right = ((model(grid) > 0).float() == lives_on(grid)).flatten(1)
    return Trained(watch, float(right.all(1).double().mean()))


class Grower(nn.Module):
    """Cells of eight numbers that look at their neighbours and change a little; at first not at
    all.
    """

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Conv2d(8, 32, 3, padding=1)
        self.change = nn.Conv2d(32, 8, 1)
        nn.init.zeros_(self.change.weight)
        nn.init.zeros_(self.change.get_parameter("bias"))

    def forward(self, cells: Tensor, steps: int) -> Tensor:
        for _ in range(steps):
            cells = cells + self.change(torch.relu(self.look(cells)))
        return cells


def a_seed_that_grows() -> Trained:
    """From one cell to a ring, in eight to ten steps; every gradient is made to be of length 1."""
    place = torch.stack(torch.meshgrid(torch.arange(11.0), torch.arange(11.0), indexing="ij"))
    far = (place - 5).square().sum(0).sqrt()
    ring = ((far > 2) & (far < 4.2)).float()
    seed = torch.zeros(4, 8, 11, 11)
    seed[:, :, 5, 5] = 1.0
    model = Grower()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(250):
            steps = int(torch.randint(8, 11, ()))
            loss = (model(seed, steps)[:, 0] - ring).square().mean()
            optimizer.zero_grad()
            loss.backward()
            for parameter in model.parameters():
                if parameter.grad is not None:
                    parameter.grad /= parameter.grad.norm() + 1e-8
            optimizer.step()
            watch.step(loss)
    with torch.no_grad():
        grown = model(seed[:1], 9)[0, 0]
    return Trained(watch, r2(grown.flatten(), ring.flatten()))


class Spreading(nn.Module):
    """u' = a Δu, with one number a, which is above 0."""

    def __init__(self) -> None:
        super().__init__()
        self.log_a = nn.Parameter(torch.tensor(-4.0))
        kernel = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])
        self.kernel: Tensor
        self.register_buffer("kernel", kernel[None, None])

    def forward(self, u: Tensor, steps: int = 6) -> Tensor:
        for _ in range(steps):
            ring = F.pad(u, (1, 1, 1, 1), mode="circular")
            u = u + self.log_a.exp() * F.conv2d(ring, self.kernel)
        return u


def how_fast_it_spreads() -> Trained:
    """One parameter, from pictures before and after. The score is 1 less its relative error."""
    model, truth = Spreading(), Spreading()
    nn.init.constant_(truth.log_a, -2.0)
    u = torch.rand(60, 1, 10, 10)
    with torch.no_grad():
        later = truth(u) + 0.01 * torch.randn_like(u)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(12):
            for rows in torch.randperm(60).split(10):
                descend(watch, optimizer, F.mse_loss(model(u[rows]), later[rows]), later[rows])
    wrong = abs(float((model.log_a - truth.log_a).detach().exp()) - 1)
    return Trained(watch, 1 - wrong)


CASES = [
    healthy("the rule of a game of cells", the_game_of_life),
    healthy("a seed that grows to a ring", a_seed_that_grows),
    healthy("one number of a spreading", how_fast_it_spreads),
]
