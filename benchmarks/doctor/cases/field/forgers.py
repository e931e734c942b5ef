"""Two networks against each other, written with two optimizers and two losses."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, healthy
from benchmarks.doctor.networks import dense


def ring(count: int) -> Tensor:
    """Points [N, 2] near a circle about (1, 0)."""
    angle = 6.2832 * torch.rand(count)
    radius = 1 + 0.1 * torch.randn(count)
    return torch.stack([1 + radius * angle.cos(), radius * angle.sin()], 1)


def alike(made: Tensor, real: Tensor) -> float:
    """1 less the energy distance in shares of that of noise about zero."""

    def energy(a: Tensor, b: Tensor) -> Tensor:
        return 2 * torch.cdist(a, b).mean() - torch.cdist(a, a).mean() - torch.cdist(b, b).mean()

    return float(1 - energy(made, real) / energy(torch.randn_like(real), real))


def points_of_a_ring() -> Trained:
    """The loss with labels of 1 and 0; the critic's labels are 0.9."""
    generator = nn.Sequential(
        nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 2)
    )
    critic = dense(2, 48, 48, 1, activation=lambda: nn.LeakyReLU(0.2))
    makes = torch.optim.Adam(generator.parameters(), lr=5e-4, betas=(0.5, 0.9))
    judges = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.9))
    bce = nn.BCEWithLogitsLoss()
    with ss.watch({"G": (generator, makes), "D": (critic, judges)}) as watch:
        for _ in range(1200):
            real, fake = ring(64), generator(torch.randn(64, 4))
            d_loss = bce(critic(real), torch.full((64, 1), 0.9))
            d_loss = d_loss + bce(critic(fake.detach()), torch.zeros(64, 1))
            judges.zero_grad()
            d_loss.backward()
            judges.step()
            g_loss = bce(critic(fake), torch.ones(64, 1))
            makes.zero_grad()
            g_loss.backward()
            makes.step()
            watch.step(g_loss + d_loss, parts={"G": g_loss, "D": d_loss})
    with torch.no_grad():
        return Trained(watch, alike(generator(torch.randn(800, 4)), ring(800)))


def wages_with_a_critic() -> Trained:
    """Wasserstein's distance with clipped weights and RMSprop: five critic steps a generator's."""
    generator, critic = dense(3, 32, 2), dense(2, 64, 64, 1)
    makes = torch.optim.RMSprop(generator.parameters(), lr=1e-3)
    judges = torch.optim.RMSprop(critic.parameters(), lr=1e-3)
    real = torch.randn(2000, 2) @ torch.tensor([[1.0, 0.8], [0.0, 0.4]]) + torch.tensor([2.0, -1.0])
    with ss.watch({"G": (generator, makes), "D": (critic, judges)}) as watch:
        for _ in range(250):
            for _ in range(5):
                rows = real[torch.randint(0, 2000, (64,))]
                with torch.no_grad():
                    fake = generator(torch.randn(64, 3))
                d_loss = critic(fake).mean() - critic(rows).mean()
                judges.zero_grad()
                d_loss.backward()
                judges.step()
                for weight in critic.parameters():
                    weight.data.clamp_(-0.1, 0.1)
            g_loss = -critic(generator(torch.randn(64, 3))).mean()
            makes.zero_grad()
            g_loss.backward()
            makes.step()
            watch.step(g_loss + d_loss.detach(), parts={"G": g_loss, "D": d_loss})
    with torch.no_grad():
        return Trained(watch, alike(generator(torch.randn(800, 3)), real[:800]))


class Backwards(torch.autograd.Function):
    """The identity whose gradient is turned round."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        """x as it is."""
        return x.view_as(x)

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        """Less the gradient."""
        return -gradients[0]


def two_clinics() -> Trained:
    """Features that tell the illness and not the clinic: one loss, one gradient turned round."""
    count = 1600
    y, clinic = torch.randint(0, 3, (count,)), torch.randint(0, 2, (count,))
    x = torch.randn(count, 10)
    x[:, :3] += 2.5 * F.one_hot(y, 3)
    x[:, 5:7] += 3.0 * F.one_hot(clinic, 2)
    body = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 12), nn.ReLU())
    illness, where = nn.Linear(12, 3), dense(12, 16, 2)
    model = nn.ModuleDict({"body": body, "illness": illness, "where": where})
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(16):
            for rows in torch.randperm(1200).split(40):
                h = body(x[rows])
                task = F.cross_entropy(illness(h), y[rows])
                domain = F.cross_entropy(where(Backwards.apply(h)), clinic[rows])
                loss = task + 0.3 * domain
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows], parts={"task": task, "clinic": 0.3 * domain})
    with torch.no_grad():
        right = illness(body(x[1200:])).argmax(1) == y[1200:]
    return Trained(watch, float(right.double().mean()))


CASES = [
    healthy("points of a ring by a GAN with smoothed labels", points_of_a_ring),
    healthy("a Wasserstein GAN with clipped weights", wages_with_a_critic),
    healthy("an illness told apart and the clinic not", two_clinics),
]
