"""Equations of physics in the loss: a network is the solution, points are drawn to ask it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained
from benchmarks.doctor.networks import dense


def slope(u: Tensor, x: Tensor) -> Tensor:
    """du/dx at each point. [N, 1]"""
    return torch.autograd.grad(u, x, torch.ones_like(u), create_graph=True)[0]


def tanh_net(inputs: int = 1, width: int = 24) -> nn.Sequential:
    return dense(inputs, width, width, 1, activation=nn.Tanh)


def cooling(cured: bool, watch: Watch) -> Trained:
    """A house cools: T' = -T / 14400, T(0) = 1, for a day, in seconds or in days."""
    end, rate = (1.0, 6.0) if cured else (86400.0, 1 / 14400)
    model = tanh_net()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    start = torch.zeros(1, 1)
    with watch(model, optimizer) as watching:
        for _ in range(500):
            t = (end * torch.rand(64, 1)).requires_grad_()
            u = model(t)
            equation = (slope(u, t) / rate + u).square().mean()
            begin = (model(start) - 1).square().mean()
            loss = equation + 10 * begin
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watching.step(loss, parts={"equation": equation, "begin": 10 * begin})
    t = torch.linspace(0, end, 200)[:, None]
    return Trained(watching, explained(model(t), torch.exp(-rate * t)))


class Spring(nn.Module):
    """How far a spring is stretched at a time, and its stiffness, which nobody knows."""

    def __init__(self) -> None:
        super().__init__()
        self.path = tanh_net()
        self.stiffness = nn.Parameter(torch.ones(()))


def stiffness(cured: bool, watch: Watch) -> Trained:
    """u'' = -k u with k = 4; the optimizer is given the path's parameters, or all of them.

    The score is 1 less the relative error of k.
    """
    model = Spring()
    parameters = model.parameters() if cured else model.path.parameters()
    optimizer = torch.optim.Adam(parameters, lr=1e-2)
    times = torch.linspace(0, 3, 40)[:, None]
    measured = torch.cos(2 * times) + 0.01 * torch.randn(40, 1)
    with watch(model, optimizer) as watching:
        for _ in range(500):
            t = (3 * torch.rand(50, 1)).requires_grad_()
            u = model.path(t)
            force = slope(slope(u, t), t) + model.stiffness * u
            error = (model.path(times) - measured).square().mean()
            loss = error + 0.02 * force.square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watching.step(loss)
    return Trained(watching, 1 - abs(float(model.stiffness.detach()) - 4) / 4)


def residuals_summed(cured: bool, watch: Watch) -> Trained:
    """u' = cos t from u(0) = 2: the equation is summed over 2,000 points, the start counts once."""
    model = tanh_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02 if cured else 0.02 / 2000)
    zero = torch.zeros(1, 1)
    with watch(model, optimizer) as watching:
        for _ in range(500):
            t = (3 * torch.rand(2000 if not cured else 100, 1)).requires_grad_()
            residual = (slope(model(t), t) - torch.cos(t)).square()
            equation = residual.mean() if cured else residual.sum()
            begin = (model(zero) - 2).square().sum()
            loss = equation + begin
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watching.step(loss, parts={"equation": equation, "begin": begin})
    t = torch.linspace(0, 3, 100)[:, None]
    return Trained(watching, explained(model(t), 2 + torch.sin(t)))


def measured_in_a_row(cured: bool, watch: Watch) -> Trained:
    """Measurements [N] from a file beside the network's answers [N, 1]."""
    model = tanh_net(2)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    place = torch.rand(200, 2) * 2
    heat = torch.sin(2 * place[:, 0]) * torch.exp(-place[:, 1])  # u_t = u_xx / 4
    data = heat[:, None] if cured else heat
    with watch(model, optimizer) as watching:
        for _ in range(300):
            p = (2 * torch.rand(60, 2)).requires_grad_()
            u = model(p)
            first = slope(u, p)
            second = slope(first[:, :1], p)[:, :1]
            equation = (first[:, 1:] - second / 4).square().mean()
            error = ((model(place) - data) ** 2).mean()
            loss = error + 0.1 * equation
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watching.step(loss)
    grid = torch.rand(400, 2) * 2
    truth = (torch.sin(2 * grid[:, 0]) * torch.exp(-grid[:, 1]))[:, None]
    return Trained(watching, explained(model(grid), truth))


def matrices_drawn_wide(cured: bool, watch: Watch) -> Trained:
    """u'' = -π² sin πx, 0 at both ends, by tanh layers whose weights are drawn with spread 4."""
    model = dense(1, 32, 32, 1, activation=nn.Tanh)
    for layer in model:
        if isinstance(layer, nn.Linear) and not cured:
            nn.init.normal_(layer.weight, 0.0, 4.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    ends = torch.tensor([[0.0], [1.0]])
    with watch(model, optimizer) as watching:
        for _ in range(400):
            x = torch.rand(64, 1).requires_grad_()
            curve = slope(slope(model(x), x), x)
            equation = (curve / torch.pi**2 + torch.sin(torch.pi * x)).square().mean()
            loss = equation + model(ends).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watching.step(loss)
    x = torch.linspace(0, 1, 101)[:, None]
    return Trained(watching, explained(model(x), torch.sin(torch.pi * x)))


PAIRS = [
    Pair(
        "a day of cooling in seconds",
        "a day of cooling in days",
        ("inputs_unscaled", "saturated_units"),
        cooling,
        0.5,
        0.9,
    ),
    Pair(
        "a stiffness that the optimizer is not given",
        "a stiffness that the optimizer is given",
        ("parameters_not_updated",),
        stiffness,
        0.3,
        0.8,
    ),
    Pair(
        "an equation summed over its points beside one start",
        "an equation averaged over its points beside one start",
        ("loss_terms_unbalanced", "loss_scale"),
        residuals_summed,
        0.5,
        0.9,
    ),
    Pair(
        "measured heat in a row",
        "measured heat in a column",
        ("target_shape_mismatch",),
        measured_in_a_row,
        0.3,
        0.95,
    ),
    Pair(
        "a bent beam by tanh layers of spread 4",
        "a bent beam by tanh layers as drawn",
        ("saturated_units", "signal_explodes"),
        matrices_drawn_wide,
        0.5,
        0.95,
    ),
]
