"""Energies: real samples down, made ones up; the loss is a difference, and near 0 all the time."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy
from benchmarks.doctor.networks import dense


class Boltzmann(nn.Module):
    """A restricted Boltzmann machine; it gives the free energy of what is visible."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.05 * torch.randn(64, 64))
        self.visible, self.hidden = nn.Parameter(torch.zeros(64)), nn.Parameter(torch.zeros(64))

    def forward(self, v: Tensor) -> Tensor:
        return -v @ self.visible - F.softplus(v @ self.weight + self.hidden).sum(1)

    @torch.no_grad()
    def again(self, v: Tensor) -> Tensor:
        """One step of Gibbs sampling."""
        h = torch.bernoulli(torch.sigmoid(v @ self.weight + self.hidden))
        return torch.bernoulli(torch.sigmoid(h @ self.weight.T + self.visible))


def contrastive_divergence() -> Trained:
    (x, _), (xv, _) = data.digits()
    x, xv = (x > 0.4).float(), (xv > 0.4).float()
    model = Boltzmann()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 15):
            real = x[chosen]
            made = model.again(real)
            descend(watch, optimizer, model(real).mean() - model(made).mean())
    with torch.no_grad():
        mean = torch.sigmoid(torch.sigmoid(xv @ model.weight + model.hidden) @ model.weight.T
                             + model.visible)  # fmt: skip
        left = (xv - mean).square().sum() / (xv - x.mean(0)).square().sum()
    return Trained(watch, 1 - float(left))


def noise_contrastive() -> Trained:
    """An energy that tells real points from noise of a known density."""
    (x, _), (xv, _) = data.moons()
    mean, std = x.mean(0), x.std(0)
    x, xv = (x - mean) / std, (xv - mean) / std

    class Energy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = dense(2, 64, 64, 1, activation=nn.SiLU)
            self.level = nn.Parameter(torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            energy: Tensor = self.network(x).squeeze(1) + self.level
            return energy

    noise = torch.distributions.MultivariateNormal(torch.zeros(2), 2 * torch.eye(2))
    model = Energy()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 25):
            made = noise.sample((len(chosen),))
            real_odds = -model(x[chosen]) - noise.log_prob(x[chosen])
            made_odds = -model(made) - noise.log_prob(made)
            loss = -(F.logsigmoid(real_odds).mean() + F.logsigmoid(-made_odds).mean())
            descend(watch, optimizer, loss)
    made = noise.sample((len(xv),))
    with torch.no_grad():
        odds = torch.cat([-model(p) - noise.log_prob(p) for p in (xv, made)])
    right = float(((odds > 0) == (torch.arange(len(odds)) < len(xv))).double().mean())
    return Trained(watch, 2 * right - 1)


def remembered() -> Trained:
    """A Hopfield network's energy, learned so that spoiled patterns find back."""
    patterns = torch.where(torch.randn(12, 40) > 0, 1.0, -1.0)
    weight = nn.Parameter(torch.zeros(40, 40))
    model = nn.Module()
    model.weight = weight  # a bag of parameters, without a forward of its own
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def field(state: Tensor) -> Tensor:
        both = model.weight + model.weight.T  # type: ignore[operator]
        return state @ (both - torch.diag(both.diagonal()))

    def spoiled() -> Tensor:
        return patterns * torch.where(torch.rand(patterns.shape) < 0.15, -1.0, 1.0)

    with ss.watch(model, optimizer) as watch:
        for _ in range(200):
            loss = F.soft_margin_loss(field(spoiled()), patterns)
            descend(watch, optimizer, loss, patterns)
    state = spoiled()
    with torch.no_grad():
        for _ in range(3):
            state = torch.where(field(state) > 0, 1.0, -1.0)
    return Trained(watch, float((state == patterns).double().mean()))


CASES = [
    healthy("contrastive divergence", contrastive_divergence),
    healthy("told from noise", noise_contrastive),
    healthy("patterns remembered", remembered),
]
