"""Networks that make things: codes, pictures, points out of noise, and what is alike."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained
from benchmarks.doctor.networks import dense


def strokes() -> Tensor:
    """Pixels of 0..1, [N, 64], in an order of chance."""
    images = torch.tensor(load_digits().data).float() / 16
    return images[torch.randperm(len(images))]


class Dream(nn.Module):
    """A variational autoencoder of eight numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.into = nn.Sequential(nn.Linear(64, 64), nn.ReLU())
        self.mean, self.log_variance = nn.Linear(64, 8), nn.Linear(64, 8)
        self.out = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = self.into(x)
        mean, spread = self.mean(h), self.log_variance(h)
        code = mean + torch.randn_like(mean) * torch.exp(0.5 * spread)
        return self.out(code), mean, spread


def divergence_summed(cured: bool, watch: Watch) -> Trained:
    """Pixels are averaged; the divergence is a sum over batch and code, or weighs as pixels do."""
    x = strokes()
    model = Dream()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(1500, 50, 20):
            picture, mean, spread = model(x[chosen])
            pixels = F.mse_loss(picture, x[chosen])
            divergence = -0.5 * (1 + spread - mean**2 - spread.exp()).sum()
            if cured:
                divergence = 0.05 * divergence / (50 * 64)
            loss = pixels + divergence
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watching.step(loss, parts={"pixels": pixels, "divergence": divergence})
    with torch.no_grad():
        mean = model(x[1500:])[1]
        score = explained(model.out(mean), x[1500:])
    return Trained(watching, score)


def detached_forgery(cured: bool, watch: Watch) -> Trained:
    """`detach()` stands in the generator's step as well, copied from the critic's."""
    generator = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 2))
    critic = nn.Sequential(nn.Linear(2, 48), nn.LeakyReLU(0.2), nn.Linear(48, 1))
    makes = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.9))
    judges = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.9))
    with watch({"G": (generator, makes), "D": (critic, judges)}) as watching:
        for _ in range(1000):
            real = torch.tensor([2.0, -1.5]) + 0.5 * torch.randn(64, 2)
            fake = generator(torch.randn(64, 3))
            d_loss = F.softplus(-critic(real)).mean() + F.softplus(critic(fake.detach())).mean()
            judges.zero_grad()
            d_loss.backward()
            judges.step()
            g_loss = F.softplus(-critic(fake if cured else fake.detach())).mean()
            makes.zero_grad()
            g_loss.backward()
            makes.step()
            watching.step(g_loss + d_loss.detach(), parts={"G": g_loss, "D": d_loss})
    with torch.no_grad():
        centre = generator(torch.randn(500, 3)).mean(0)
    far = (centre - torch.tensor([2.0, -1.5])).norm() / 2.5
    return Trained(watching, float(1 - far))


def pictures_past_one(cured: bool, watch: Watch) -> Trained:
    """Standardised pixels, of which half are below zero, by a decoder that ends in a sigmoid."""
    x = strokes()
    x = (x - x.mean()) / x.std()
    end = nn.Identity() if cured else nn.Sigmoid()
    model = dense(64, 48, 16, 48, 64, end=end)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(1500, 50, 15):
            descend(watching, optimizer, F.mse_loss(model(x[chosen]), x[chosen]), x[chosen])
    return Trained(watching, explained(model(x[1500:]), x[1500:]))


def only_what_is_alike(cured: bool, watch: Watch) -> Trained:
    """Two views are drawn together, and nothing, or other rows, is pushed apart."""
    count = 1200
    kind = torch.randint(0, 8, (count,))
    centres = 1.5 * torch.randn(8, 12)

    def view(rows: Tensor) -> Tensor:
        return centres[kind[rows]] + torch.randn(len(rows), 12)

    model = dense(12, 48, 6)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(900, 45, 16):
            a, b = model(view(chosen)), model(view(chosen))
            loss = F.pairwise_distance(a, b).square().mean()
            if cured:
                other = chosen.roll(1)
                apart = (kind[chosen] != kind[other]).float()
                distance = F.pairwise_distance(a, b.roll(1, 0))
                loss = loss + (apart * F.relu(4 - distance).square()).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watching.step(loss)
    with torch.no_grad():
        rows = torch.arange(900, count)
        distance = torch.cdist(model(view(rows)), model(view(rows)))
    same = kind[rows][:, None] == kind[rows][None, :]
    near = distance < 2
    score = float((near[same].double().mean() + (~near[~same]).double().mean()) / 2)
    return Trained(watching, score)


def decayed_denoiser(cured: bool, watch: Watch) -> Trained:
    """Noise is told from points and times; 0.3 was AdamW's decay and is Adam's here."""
    angle = 6.2832 * torch.rand(2000)
    points = torch.stack([angle.cos(), angle.sin()], 1)
    model = dense(3, 64, 64, 2, activation=nn.SiLU)
    decay = 0.0 if cured else 0.3
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=decay)

    def noised(rows: Tensor) -> tuple[Tensor, Tensor]:
        time, noise = torch.rand(len(rows), 1), torch.randn(len(rows), 2)
        mixed = (1 - time).sqrt() * points[rows] + time.sqrt() * noise
        return torch.cat([mixed, 2 * time - 1], 1), noise

    with watch(model, optimizer) as watching:
        for chosen in batches(1600, 64, 20):
            inputs, noise = noised(chosen)
            descend(watching, optimizer, F.mse_loss(model(inputs), noise), noise)
    with torch.no_grad():
        inputs, noise = noised(torch.arange(1600, 2000))
        score = explained(model(inputs), noise)
    return Trained(watching, score)


PAIRS = [
    Pair(
        "a divergence summed beside pixels averaged",
        "a divergence that weighs as pixels do",
        ("loss_terms_unbalanced", "representation_collapsed"),
        divergence_summed,
        0.15,
        0.5,
    ),
    Pair(
        "a forgery detached in both steps",
        "a forgery detached in the critic's step",
        ("parameters_not_updated",),
        detached_forgery,
        0.4,
        0.75,
    ),
    Pair(
        "standardised pixels out of a sigmoid",
        "standardised pixels out of a line",
        ("output_loss_mismatch", "target_out_of_range", "targets_unscaled"),
        pictures_past_one,
        0.5,
        0.75,
    ),
    Pair(
        "views drawn together and nothing apart",
        "views drawn together and others apart",
        ("representation_collapsed",),
        only_what_is_alike,
        0.6,
        0.8,
    ),
    Pair(
        "a denoiser whose Adam decays as AdamW would",
        "a denoiser whose Adam does not decay",
        ("weight_decay_too_strong",),
        decayed_denoiser,
        0.25,
        0.45,
    ),
]
