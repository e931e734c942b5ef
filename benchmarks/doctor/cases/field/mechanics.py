"""Bodies and fields: energies known by their slopes, constants of an equation, a lowest state."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def slope(of: Tensor, at: Tensor) -> Tensor:
    """Of a sum, with a graph of its own."""
    return torch.autograd.grad(of.sum(), at, create_graph=True)[0]


def pendulum() -> Trained:
    """An energy of angle and momentum, of which only the slopes are told."""

    def moves(state: Tensor) -> Tensor:
        return torch.stack([state[:, 1], -3 * torch.sin(state[:, 0])], 1)

    x = torch.rand(900, 2) * torch.tensor([4.0, 4.0]) - 2
    y = moves(x) + 0.05 * torch.randn(900, 2)

    class Hamiltonian(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.energy = dense(2, 48, 48, 1, activation=nn.Tanh)

        def forward(self, x: Tensor) -> Tensor:
            x = x.detach().requires_grad_()
            with torch.enable_grad():
                to = slope(self.energy(x), x)
            return torch.stack([to[:, 1], -to[:, 0]], 1)

    model = Hamiltonian()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(700, 50, 40):
            descend(watch, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
    return Trained(watch, r2(model(x[700:]), y[700:]))


def constants() -> Trained:
    """Three constants of a falling, swinging weight, from where it was seen; no network at all."""
    t = torch.linspace(0, 6, 120)
    truth = torch.tensor([1.7, 0.25, 0.8])

    class Swing(nn.Module):
        def __init__(self, start: Tensor) -> None:
            super().__init__()
            self.constants = nn.Parameter(start)

        def forward(self, t: Tensor) -> Tensor:
            speed, drag, size = self.constants
            return size * torch.exp(-drag * t) * torch.cos(speed * t)

    seen = Swing(truth)(t).detach() + 0.03 * torch.randn(120)
    model = Swing(torch.tensor([1.4, 0.5, 0.5]))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(300):
            descend(watch, optimizer, F.mse_loss(model(t), seen), seen)
    error = (model.constants.detach() - truth).abs().max()
    return Trained(watch, 1 - float(error))


def lowest_state() -> Trained:
    """The lowest state in a well: an energy is made small, and cannot fall below a half."""
    x = torch.linspace(-5, 5, 201)[:, None]
    step = float(x[1, 0] - x[0, 0])

    class Wave(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = dense(1, 32, 32, 1, activation=nn.Tanh)

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x) * torch.exp(-0.2 * x.square())

    model = Wave()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

    def energy() -> Tensor:
        psi = model(x)[:, 0]
        steep = (psi[1:] - psi[:-1]) / step
        within = (x[:, 0].square() * psi.square()).sum() * step
        return 0.5 * (steep.square().sum() * step + within) / (psi.square().sum() * step)

    with ss.watch(model, optimizer) as watch:
        for _ in range(500):
            descend(watch, optimizer, energy())
    psi, truth = model(x)[:, 0].detach(), torch.exp(-0.5 * x[:, 0].square())
    return Trained(watch, float(F.cosine_similarity(psi, truth, dim=0)) ** 2)


def springs() -> Trained:
    """Forces among five bodies as the slope of a sum over pairs; far larger than the loss says."""
    place = 2 * torch.randn(800, 5, 2)

    def potential(place: Tensor) -> Tensor:
        apart = (place[:, :, None] - place[:, None]).square().sum(3)
        return 0.25 * torch.log(1 + apart).sum((1, 2)) + 0.05 * place.square().sum((1, 2))

    at = place.clone().requires_grad_()
    force = -torch.autograd.grad(potential(at).sum(), at)[0]

    class Forces(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pair, self.own = (
                dense(1, 32, 1, activation=nn.SiLU),
                dense(1, 16, 1, activation=nn.SiLU),
            )

        def forward(self, place: Tensor) -> Tensor:
            place = place.detach().requires_grad_()
            with torch.enable_grad():
                apart = (place[:, :, None] - place[:, None]).square().sum(3, keepdim=True)
                energy = self.pair(apart / 8).sum((1, 2, 3))
                energy = energy + self.own(place.square().sum(2, keepdim=True)).sum((1, 2))
                return -slope(energy, place)

    model = Forces()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(600, 30, 25):
            descend(
                watch, optimizer, F.mse_loss(model(place[chosen]), force[chosen]), force[chosen]
            )
    answer = model(place[600:]).reshape(-1)
    return Trained(watch, r2(answer, force[600:].reshape(-1)))


CASES = [
    healthy("an energy known by its slopes", pendulum),
    healthy("three constants of a swing", constants),
    healthy("the lowest state in a well", lowest_state),
    healthy("forces among bodies", springs),
]
