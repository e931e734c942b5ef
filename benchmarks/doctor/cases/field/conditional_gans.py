"""Generators and their critics in the variants of today: by class, least squares, penalties."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, healthy


def centres() -> Tensor:
    angle = torch.arange(4) * 1.5708 + 0.4
    return 2 * torch.stack([angle.cos(), angle.sin()], 1)


def real(y: Tensor) -> Tensor:
    """A spot for each of four classes."""
    return centres()[y] + 0.15 * torch.randn(len(y), 2)


def hits(points: Tensor, y: Tensor) -> float:
    """The share of points that lie nearest to the centre of their class, and not far from it."""
    apart = torch.cdist(points, centres())
    return float(((apart.argmin(1) == y) & (apart.amin(1) < 1.0)).double().mean())


class Generator(nn.Module):
    def __init__(self, z: int = 4, hidden: int = 32):
        super().__init__()
        self.embed = nn.Embedding(4, 8)
        self.z = z
        self.net = nn.Sequential(
            nn.Linear(z + 8, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, hidden),
            nn.LeakyReLU(0.2), nn.Linear(hidden, 2),
        )  # fmt: skip

    def forward(self, y: Tensor) -> Tensor:
        return self.net(torch.cat([torch.randn(len(y), self.z), self.embed(y)], 1))


class Critic(nn.Module):
    """The class is compared with what the body sees (a projection)."""

    def __init__(self, hidden: int = 32, normed: bool = False):
        super().__init__()
        wrap = spectral_norm if normed else (lambda layer: layer)
        self.body = nn.Sequential(
            wrap(nn.Linear(2, hidden)), nn.LeakyReLU(0.2), wrap(nn.Linear(hidden, hidden)),
            nn.LeakyReLU(0.2),
        )  # fmt: skip
        self.out, self.embed = nn.Linear(hidden, 1), nn.Embedding(4, hidden)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        h = self.body(x)
        return self.out(h)[:, 0] + (self.embed(y) * h).sum(1)


def play(
    generator, critic, opt_g, opt_d, loss_d, loss_g, steps: int, twice: bool = False
) -> Trained:  # type: ignore[no-untyped-def]
    with ss.watch({"critic": (critic, opt_d), "generator": (generator, opt_g)}) as watch:
        for _ in range(steps):
            for _turn in range(2 if twice else 1):
                y = torch.randint(4, (64,))
                x, fake = real(y), generator(y).detach()
                d = loss_d(critic, x, fake, y)
                opt_d.zero_grad()
                d.backward()
                opt_d.step()
            y = torch.randint(4, (64,))
            g = loss_g(critic(generator(y), y))
            opt_g.zero_grad()
            g.backward()
            opt_g.step()
            watch.step(d + g, parts={"critic": d, "generator": g})
    y = torch.randint(4, (500,))
    with torch.no_grad():
        return Trained(watch, hits(generator(y), y))


def least_squares() -> Trained:
    g, d = Generator(), Critic()
    return play(
        g,
        d,
        torch.optim.Adam(g.parameters(), 1e-3, betas=(0.5, 0.999)),
        torch.optim.Adam(d.parameters(), 3e-3, betas=(0.5, 0.999)),
        lambda c, x, f, y: 0.5 * ((c(x, y) - 1) ** 2).mean() + 0.5 * (c(f, y) ** 2).mean(),
        lambda out: 0.5 * ((out - 1) ** 2).mean(),
        500,
    )


def hinge_with_bound_layers() -> Trained:
    """Spectral norm, two rates, two turns of the critic for each of the generator."""
    g, d = Generator(), Critic(normed=True)
    return play(
        g,
        d,
        torch.optim.Adam(g.parameters(), 1e-3, betas=(0.0, 0.9)),
        torch.optim.Adam(d.parameters(), 4e-3, betas=(0.0, 0.9)),
        lambda c, x, f, y: F.relu(1 - c(x, y)).mean() + F.relu(1 + c(f, y)).mean(),
        lambda out: -out.mean(),
        350,
        twice=True,
    )


def slope_at_real_points() -> Trained:
    """The usual loss, softplus by hand, and a penalty on the critic's slope at real points."""
    g, d = Generator(), Critic()

    def loss_d(c: Critic, x: Tensor, f: Tensor, y: Tensor) -> Tensor:
        x = x.requires_grad_()
        out = c(x, y)
        (slope,) = torch.autograd.grad(out.sum(), x, create_graph=True)
        penalty = slope.pow(2).sum(1).mean()
        return F.softplus(-out).mean() + F.softplus(c(f, y)).mean() + 0.1 * penalty

    return play(
        g,
        d,
        torch.optim.RMSprop(g.parameters(), 1e-3),
        torch.optim.RMSprop(d.parameters(), 1e-3),
        loss_d,
        lambda out: F.softplus(-out).mean(),
        400,
    )


def class_told_by_the_critic() -> Trained:
    """The critic also says the class (AC-GAN), and the generator is paid for being understood."""
    gen = Generator()
    trunk = nn.Sequential(
        nn.Linear(2, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 5)
    )
    og = torch.optim.AdamW(gen.parameters(), lr=2e-3, betas=(0.5, 0.99))
    od = torch.optim.AdamW(trunk.parameters(), lr=2e-3, betas=(0.5, 0.99))
    bce, ce = nn.BCEWithLogitsLoss(), nn.CrossEntropyLoss()
    ones, zeros = torch.full((64,), 0.9), torch.zeros(64)
    with ss.watch({"critic": (trunk, od), "generator": (gen, og)}) as watch:
        for _ in range(350):
            y = torch.randint(4, (64,))
            out_r, out_f = trunk(real(y)), trunk(gen(y).detach())
            loss_d = bce(out_r[:, 0], ones) + bce(out_f[:, 0], zeros) + ce(out_r[:, 1:], y)
            od.zero_grad()
            loss_d.backward()
            od.step()
            out = trunk(gen(y))
            loss_g = bce(out[:, 0], torch.ones(64)) + ce(out[:, 1:], y)
            og.zero_grad()
            loss_g.backward()
            og.step()
            watch.step(loss_d + loss_g, parts={"critic": loss_d, "generator": loss_g})
    y = torch.randint(4, (500,))
    with torch.no_grad():
        return Trained(watch, hits(gen(y), y))


CASES = [
    healthy("spots by class, least squares", least_squares),
    healthy("spots by class, hinge and spectral norm", hinge_with_bound_layers),
    healthy("spots by class, slope at real points", slope_at_real_points),
    healthy("spots by class, told by the critic", class_told_by_the_critic),
]
