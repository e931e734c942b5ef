"""Equations: derivatives of the network within the loss, and networks inside an integrator."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, descend, healthy, r2
from benchmarks.doctor.networks import dense


def slope(y: Tensor, x: Tensor) -> Tensor:
    (answer,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    return answer


def oscillator(terms: bool) -> Trained:
    """u'' = -u, u(0) = 0, u'(0) = 1: the sine."""
    model = dense(1, 24, 24, 1, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(500):
            t = (4 * torch.rand(48, 1)).requires_grad_()
            u = model(t)
            equation = (slope(slope(u, t), t) + u).square().mean()
            start = torch.zeros(1, 1, requires_grad=True)
            u0 = model(start)
            begin = u0.square().mean() + (slope(u0, start) - 1).square().mean()
            parts = {"equation": equation, "begin": begin} if terms else None
            descend(watch, optimizer, equation + 5 * begin, parts=parts)
    t = torch.linspace(0, 4, 100)[:, None]
    return Trained(watch, r2(model(t), torch.sin(t)))


def heat() -> Trained:
    """u_t = u_xx / 4 with u(x, 0) = sin(πx) and cold ends, all points in each step."""
    model = dense(2, 24, 24, 1, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
    inside = torch.rand(150, 2).requires_grad_()  # x, t
    x0 = torch.cat([torch.rand(40, 1), torch.zeros(40, 1)], 1)
    ends = torch.cat([torch.randint(0, 2, (40, 1)).float(), torch.rand(40, 1)], 1)
    with ss.watch(model, optimizer) as watch:
        for _ in range(350):
            first = slope(model(inside), inside)
            bent = slope(first[:, 0], inside)[:, 0]
            equation = (first[:, 1] - bent / 4).square().mean()
            begin = F.mse_loss(model(x0)[:, 0], torch.sin(math.pi * x0[:, 0]))
            cold = model(ends).square().mean()
            descend(watch, optimizer, equation + begin + cold)
    asked = torch.rand(300, 2)
    truth = torch.sin(math.pi * asked[:, 0]) * torch.exp(-(math.pi**2) / 4 * asked[:, 1])
    return Trained(watch, r2(model(asked)[:, 0], truth))


def trajectories() -> Trained:
    """A field that carries points along a spiral, integrated by Euler's steps."""
    turn = torch.tensor([[-0.2, 1.0], [-1.0, -0.2]])
    model = dense(2, 32, 2, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    step, count = 0.1, 12

    def paths(start: Tensor) -> Tensor:
        return torch.stack([start @ torch.matrix_exp(turn * step * k).T for k in range(1, 13)], 1)

    with ss.watch(model, optimizer) as watch:
        for _ in range(200):
            start = torch.randn(32, 2)
            truth, state, seen = paths(start), start, []
            for _ in range(count):
                state = state + step * model(state)
                seen.append(state)
            descend(watch, optimizer, F.mse_loss(torch.stack(seen, 1), truth), truth)
    start = torch.randn(200, 2)
    state = start
    with torch.no_grad():
        for _ in range(count):
            state = state + step * model(state)
    return Trained(watch, r2(state - start, paths(start)[:, -1] - start))


CASES = [
    healthy("an equation in the loss", lambda: oscillator(False)),
    healthy("an equation in the loss, with its parts", lambda: oscillator(True)),
    healthy("heat", heat),
    healthy("steps of Euler", trajectories),
]
