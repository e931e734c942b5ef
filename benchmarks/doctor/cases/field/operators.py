"""Functions and motions: waves in all layers, energies that are kept, maps between functions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, healthy, r2


class Sine(nn.Module):
    def __init__(self, fin: int, fout: int, first: bool = False, w0: float = 10.0):
        super().__init__()
        self.w0, self.lin = w0, nn.Linear(fin, fout)
        bound = 1 / fin if first else (6 / fin) ** 0.5 / w0
        nn.init.uniform_(self.lin.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(self.w0 * self.lin(x))


def sines_for_a_picture() -> Trained:
    """SIREN: a picture as a function of the place; half of its pixels are for the test."""
    side = 32
    grid = torch.stack(torch.meshgrid(*[torch.linspace(-1, 1, side)] * 2, indexing="ij"), -1)
    xy = grid.view(-1, 2)
    value = torch.sin(4 * xy[:, :1]) * torch.cos(5 * xy[:, 1:]) + (
        xy.norm(dim=1, keepdim=True) < 0.5
    )
    order = torch.randperm(side * side)
    a, b = order[:700], order[700:]
    net = nn.Sequential(Sine(2, 48, first=True), Sine(48, 48), nn.Linear(48, 1))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    with ss.watch(net, opt) as watch:
        for _ in range(300):
            loss = F.mse_loss(net(xy[a]), value[a])
            opt.zero_grad()
            loss.backward()
            opt.step()
            watch.step(loss, target=value[a])
    known = {"train": (xy[a], value[a]), "valid": (xy[b], value[b]), "loss_fn": F.mse_loss}
    return Trained(watch, r2(net(xy[b]), value[b]), known)


def energy_is_kept() -> Trained:
    """A Hamiltonian network: its derivatives are the motion of a pendulum."""
    state = torch.rand(800, 2) * 4 - 2
    q, p = state.T
    motion = torch.stack([p, -torch.sin(q)], 1) + 0.02 * torch.randn(800, 2)

    class HNN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.h = nn.Sequential(nn.Linear(2, 48), nn.Tanh(), nn.Linear(48, 1, bias=False))

        def forward(self, x: Tensor) -> Tensor:
            with torch.enable_grad():
                x = x.detach().requires_grad_(True)
                (dh,) = torch.autograd.grad(self.h(x).sum(), x, create_graph=True)
            return torch.stack([dh[:, 1], -dh[:, 0]], 1)

    model = HNN()
    optim = torch.optim.Adam(model.parameters(), 1e-2)
    with ss.watch(model, optim) as watch:
        for rows in batches(600, 50, 20):
            loss = (model(state[rows]) - motion[rows]).pow(2).mean()
            optim.zero_grad()
            loss.backward()
            optim.step()
            watch.step(loss, target=motion[rows])
    known = {"train": (state[:600], motion[:600]), "valid": (state[600:], motion[600:])}
    return Trained(watch, r2(model(state[600:]), motion[600:]), {**known, "loss_fn": F.mse_loss})


def functions_to_functions() -> Trained:
    """DeepONet: from a function at sixteen places to its integral at any place."""
    t = torch.linspace(0, 1, 16)
    coef = torch.randn(700, 3)
    waves = torch.stack([torch.ones(16), torch.cos(3 * t), torch.sin(5 * t)])
    u = coef @ waves
    place = torch.rand(700, 12, 1)
    y = place[..., 0]
    integral = torch.stack([y, torch.sin(3 * y) / 3, (1 - torch.cos(5 * y)) / 5], -1)
    target = (coef[:, None] * integral).sum(-1)

    class DeepONet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.branch = nn.Sequential(nn.Linear(16, 40), nn.GELU(), nn.Linear(40, 24))
            self.trunk = nn.Sequential(nn.Linear(1, 40), nn.GELU(), nn.Linear(40, 24))
            self.bias = nn.Parameter(torch.zeros(1))

        def forward(self, u: Tensor, y: Tensor) -> Tensor:
            return torch.einsum("bk,bpk->bp", self.branch(u), self.trunk(y)) + self.bias

    net = DeepONet()
    opt = torch.optim.AdamW(net.parameters(), 4e-3)
    plan = torch.optim.lr_scheduler.ExponentialLR(opt, 0.93)
    with ss.watch(net, opt) as watch:
        for _ in range(25):
            for rows in torch.randperm(560).split(40):
                opt.zero_grad()
                out = net(u[rows], place[rows])
                loss = (out - target[rows]).norm() / target[rows].norm()
                loss.backward()
                opt.step()
                watch.step(loss, target=target[rows])
            plan.step()
    with torch.no_grad():
        return Trained(watch, r2(net(u[560:], place[560:]).flatten(), target[560:].flatten()))


def flow_in_small_steps() -> Trained:
    """A neural differential equation: Runge and Kutta's four steps, and the end of each path."""
    spin = torch.tensor([[-0.1, 1.5], [-1.5, -0.1]])
    start = torch.randn(600, 2)
    end = start @ torch.matrix_exp(spin).T + 0.02 * torch.randn(600, 2)
    field = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))
    opt = torch.optim.Adamax(field.parameters(), lr=1e-2)

    def integrate(x: Tensor, steps: int = 4) -> Tensor:
        h = 1.0 / steps
        for _ in range(steps):
            k1 = field(x)
            k2 = field(x + h / 2 * k1)
            k3 = field(x + h / 2 * k2)
            k4 = field(x + h * k3)
            x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return x

    with ss.watch(field, opt) as watch:
        for rows in batches(450, 50, 25):
            loss = F.mse_loss(integrate(start[rows]), end[rows])
            opt.zero_grad()
            loss.backward()
            opt.step()
            watch.step(loss, target=end[rows])
    with torch.no_grad():
        return Trained(watch, r2(integrate(start[450:]), end[450:]))


def least_energy() -> Trained:
    """Ritz: a bar under load takes the shape of least energy, and that energy lies below 0."""
    net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))

    def shape(x: Tensor) -> Tensor:
        return x * (1 - x) * net(x)

    opt = torch.optim.Adam(net.parameters(), 3e-3)
    with ss.watch(net, opt) as watch:
        for _ in range(250):
            x = torch.rand(64, 1).requires_grad_()
            u = shape(x)
            (du,) = torch.autograd.grad(u.sum(), x, create_graph=True)
            load = 9.87 * torch.sin(3.1416 * x)
            loss = (0.5 * du**2 - load * u).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
            watch.step(loss)
    x = torch.linspace(0, 1, 50)[:, None]
    with torch.no_grad():
        return Trained(watch, r2(shape(x), torch.sin(3.1416 * x)))


CASES = [
    healthy("sines for a picture", sines_for_a_picture),
    healthy("an energy that is kept", energy_is_kept),
    healthy("functions to functions", functions_to_functions),
    healthy("a flow in four steps", flow_in_small_steps),
    healthy("the shape of least energy", least_energy),
]
