"""Two networks that train against each other."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, healthy
from benchmarks.doctor.networks import dense

CENTRE = torch.tensor([2.0, -1.0])


def real(count: int) -> Tensor:
    """Points around `CENTRE`."""
    return CENTRE + 0.4 * torch.randn(count, 2)


@torch.no_grad()
def nearness(generator: nn.Module) -> float:
    """1 where the generated points have the centre of the real ones, 0 at a distance of 2."""
    return 1 - float((generator(torch.randn(2000, 4)).mean(0) - CENTRE).norm()) / 2


def adversaries(batch_norm: bool) -> Trained:
    generator, judge = dense(4, 32, 32, 2), dense(2, 32, 32, 1, activation=nn.LeakyReLU)
    if batch_norm:
        generator = nn.Sequential(nn.Linear(4, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 2))
    g_optimizer = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    d_optimizer = torch.optim.Adam(judge.parameters(), lr=1e-3, betas=(0.5, 0.999))
    one, zero = torch.ones(64, 1), torch.zeros(64, 1)
    loss_fn = nn.BCEWithLogitsLoss()
    networks = {"G": (generator, g_optimizer), "D": (judge, d_optimizer)}
    with ss.watch(networks) as watch:
        for _ in range(500):
            fake = generator(torch.randn(64, 4))
            d_optimizer.zero_grad()
            d_loss = loss_fn(judge(real(64)), one) + loss_fn(judge(fake.detach()), zero)
            d_loss.backward()
            d_optimizer.step()
            g_optimizer.zero_grad()
            g_loss = loss_fn(judge(fake), one)
            g_loss.backward()
            g_optimizer.step()
            watch.step(g_loss + d_loss, parts={"G": g_loss, "D": d_loss})
    return Trained(watch, nearness(generator.eval()))


def wasserstein() -> Trained:
    """Three steps of the critic for each of the generator, with a penalty on its gradient."""
    generator, critic = dense(4, 32, 2), dense(2, 32, 32, 1, activation=nn.LeakyReLU)
    g_optimizer = torch.optim.Adam(generator.parameters(), lr=2e-3, betas=(0.0, 0.9))
    c_optimizer = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.0, 0.9))
    with ss.watch({"G": (generator, g_optimizer), "critic": (critic, c_optimizer)}) as watch:
        for _ in range(250):
            for _ in range(3):
                truth, fake = real(64), generator(torch.randn(64, 4)).detach()
                between = torch.lerp(truth, fake, torch.rand(64, 1)).requires_grad_()
                (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
                penalty = 10 * (slope.norm(dim=1) - 1).square().mean()
                c_loss = critic(fake).mean() - critic(truth).mean() + penalty
                c_optimizer.zero_grad()
                c_loss.backward()
                c_optimizer.step()
            g_optimizer.zero_grad()
            g_loss = -critic(generator(torch.randn(64, 4))).mean()
            g_loss.backward()
            g_optimizer.step()
            watch.step(c_loss)
    return Trained(watch, nearness(generator))


def one_module() -> Trained:
    """Both in one `ModuleDict`, watched as one network with two optimizers."""
    both = nn.ModuleDict({"G": dense(4, 32, 2), "D": dense(2, 32, 32, 1)})
    optimizers = [
        torch.optim.Adam(both[name].parameters(), lr=1e-3, betas=(0.5, 0.999)) for name in "GD"
    ]
    with ss.watch(both, optimizers) as watch:
        for _ in range(500):
            fake = both["G"](torch.randn(64, 4))
            optimizers[1].zero_grad()
            d_loss = F.softplus(-both["D"](real(64))).mean()
            d_loss = d_loss + F.softplus(both["D"](fake.detach())).mean()
            d_loss.backward()
            optimizers[1].step()
            optimizers[0].zero_grad()
            g_loss = F.softplus(-both["D"](fake)).mean()
            g_loss.backward()
            optimizers[0].step()
            watch.step(d_loss)
    return Trained(watch, nearness(both["G"]))


CASES = [
    healthy("GAN", lambda: adversaries(False)),
    healthy("GAN, batch norm", lambda: adversaries(True)),
    healthy("GAN in one module", one_module),
    healthy("WGAN-GP", wasserstein),
]
