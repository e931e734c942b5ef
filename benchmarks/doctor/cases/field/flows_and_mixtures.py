"""Densities and generators by other ways: couplings, masks, straight paths, mixtures, free bits."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, batches, healthy


def two_arcs(count: int) -> Tensor:
    """Two half circles, standardised roughly: [N, 2]."""
    t, side = torch.rand(count) * math.pi, torch.randint(2, (count,)) * 2.0 - 1
    x = torch.stack([side * t.cos() - 0.5 * side, side * t.sin()], 1)
    return x + 0.08 * torch.randn(count, 2)


def nats_above_normal(logp: Tensor, x: Tensor) -> float:
    """How much better than one normal with the same moments, as 1 - exp(-difference)."""
    cov = torch.cov(x.T) + 1e-6 * torch.eye(2)
    normal = torch.distributions.MultivariateNormal(x.mean(0), cov).log_prob(x).mean()
    return float(1 - torch.exp(normal - logp.mean()))


class Coupling(nn.Module):
    def __init__(self, swap: bool):
        super().__init__()
        self.swap = swap
        self.net = nn.Sequential(
            nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2)
        )
        nn.init.zeros_(self.net[-1].weight)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.flip(1).split(1, 1) if self.swap else x.split(1, 1)
        s, t = self.net(a).split(1, 1)
        s = 2 * torch.tanh(s)
        out = torch.cat([a, b * s.exp() + t], 1)
        return (out.flip(1) if self.swap else out), s[:, 0]


def couplings() -> Trained:
    """RealNVP: affine couplings that start as the identity."""
    flow = nn.ModuleList(Coupling(bool(i % 2)) for i in range(6))

    def log_prob(x: Tensor) -> Tensor:
        logdet = torch.zeros(len(x))
        for layer in flow:
            x, d = layer(x)
            logdet = logdet + d
        return -0.5 * (x**2).sum(1) - math.log(2 * math.pi) + logdet

    optimizer = torch.optim.Adam(flow.parameters(), lr=3e-3)
    with ss.watch(flow, optimizer) as watch:
        for _ in range(250):
            optimizer.zero_grad()
            loss = -log_prob(two_arcs(128)).mean()
            loss.backward()
            nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
            optimizer.step()
            watch.step(loss)
    x = two_arcs(1000)
    with torch.no_grad():
        return Trained(watch, nats_above_normal(log_prob(x), x))


def straight_paths() -> Trained:
    """Flow matching: the speed along straight lines from noise to data, then Euler's steps."""
    net = nn.Sequential(nn.Linear(3, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2))
    opt = torch.optim.AdamW(net.parameters(), lr=4e-3)
    with ss.watch(net, opt) as watch:
        for i in range(400):
            for g in opt.param_groups:
                g["lr"] = 4e-3 * (1 - i / 400)
            x1, x0, t = two_arcs(128), torch.randn(128, 2), torch.rand(128, 1)
            xt = (1 - t) * x0 + t * x1
            loss = F.mse_loss(net(torch.cat([xt, t], 1)), x1 - x0)
            opt.zero_grad()
            loss.backward()
            opt.step()
            watch.step(loss, target=x1 - x0)
    x = torch.randn(400, 2)
    with torch.no_grad():
        for i in range(20):
            x = x + net(torch.cat([x, torch.full((400, 1), i / 20)], 1)) / 20
        truth = two_arcs(2000)
        away = torch.cdist(x, truth).amin(1).mean() + torch.cdist(truth, x).amin(1).mean()
    return Trained(watch, float(1 - away))


def mixture_of_several() -> Trained:
    """A mixture density whose components have a correlation, by a Cholesky factor."""
    x = torch.rand(1200, 1) * 2 - 1
    side = torch.randint(2, (1200, 1)) * 2.0 - 1
    y = torch.cat([side * (0.5 + x**2), x + 0.3 * side], 1) + 0.1 * torch.randn(1200, 2)

    class MDN(nn.Module):
        def __init__(self, k: int = 4) -> None:
            super().__init__()
            self.k = k
            self.body = nn.Sequential(nn.Linear(1, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh())
            self.pi, self.mu, self.tri = (
                nn.Linear(48, k),
                nn.Linear(48, 2 * k),
                nn.Linear(48, 3 * k),
            )

        def forward(self, x: Tensor) -> torch.distributions.MixtureSameFamily:
            h = self.body(x)
            a, b, c = self.tri(h).view(-1, self.k, 3).unbind(-1)
            row1 = torch.stack([F.softplus(a) + 0.02, torch.zeros_like(a)], -1)
            row2 = torch.stack([c, F.softplus(b) + 0.02], -1)
            comp = torch.distributions.MultivariateNormal(
                self.mu(h).view(-1, self.k, 2), scale_tril=torch.stack([row1, row2], -2)
            )
            mix = torch.distributions.Categorical(logits=self.pi(h))
            return torch.distributions.MixtureSameFamily(mix, comp)

    net = MDN()
    opt = torch.optim.Adam(net.parameters(), 5e-3)
    with ss.watch(net, opt) as watch:
        for rows in batches(900, 64, 15):
            nll = -net(x[rows]).log_prob(y[rows]).mean()
            opt.zero_grad()
            nll.backward()
            opt.step()
            watch.step(nll, target=y[rows])
    with torch.no_grad():
        return Trained(watch, nats_above_normal(net(x[900:]).log_prob(y[900:]), y[900:]))


def free_bits() -> Trained:
    """A conditional VAE: the class is known to both halves, some divergence costs nothing."""
    (x, y), (xv, yv) = data.digits()

    class CVAE(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.enc = nn.Sequential(nn.Linear(74, 64), nn.ELU(), nn.Linear(64, 12))
            self.dec = nn.Sequential(nn.Linear(16, 64), nn.ELU(), nn.Linear(64, 64))

        def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            c = F.one_hot(y, 10).float()
            mu, logvar = self.enc(torch.cat([x, c], 1)).chunk(2, 1)
            z = mu + torch.randn_like(mu) * (0.5 * logvar).exp() if self.training else mu
            return self.dec(torch.cat([z, c], 1)), mu, logvar

    vae = CVAE()
    opt = torch.optim.Adam(vae.parameters(), 3e-3)
    with ss.watch(vae, opt) as watch:
        for epoch in range(12):
            beta = min(1.0, epoch / 4)
            vae.train()
            for rows in torch.randperm(len(x)).split(64):
                logits, mu, logvar = vae(x[rows], y[rows])
                rec = F.binary_cross_entropy_with_logits(logits, x[rows], reduction="sum") / len(
                    rows
                )
                kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).mean(0)
                loss = rec + beta * kl.clamp(min=0.1).sum()
                opt.zero_grad()
                loss.backward()
                opt.step()
                watch.step(loss, target=x[rows])
    vae.eval()
    with torch.no_grad():
        out = vae(xv, yv)[0].sigmoid()
    return Trained(watch, float(1 - (out - xv).pow(2).mean() / (xv - xv.mean(0)).pow(2).mean()))


CASES = [
    healthy("couplings from the identity", couplings),
    healthy("straight paths from noise", straight_paths),
    healthy("a mixture with correlations", mixture_of_several),
    healthy("a class known to both halves", free_bits),
]
