"""Stars, planets and moons, as a physicist fits them."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known
from benchmarks.doctor.networks import dense


def orbits(count: int) -> tuple[Tensor, Tensor]:
    """Places of two moons about a planet, in its radii, and the field's strength. [N, 4], [N, 1]"""
    x = 2 * torch.rand(count, 4) - 1
    y = torch.sin(3 * x[:, :1]) + x[:, 1:2] * x[:, 2:3] * 2 + x[:, 3:] ** 2 - 1 / 3
    return x, y


def metres(cured: bool, watch: Watch) -> Trained:
    """Places are left in metres, hundreds of billions of them."""
    x, y = orbits(1200)
    x = x if cured else 1.5e11 * x
    model = dense(4, 14, 32, 1, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:1000], y[:1000], 20)
    return Trained(watching, explained(model(x[1000:]), y[1000:]), known(x, y, 1000, F.mse_loss))


class Potential(nn.Module):
    """Each pair of bodies adds what a network says of its distance. [B, n, 2] -> [B, 1]"""

    def __init__(self, soft: float) -> None:
        super().__init__()
        self.soft, self.pair = soft, dense(1, 32, 1, activation=nn.SiLU)

    def forward(self, places: Tensor) -> Tensor:
        shift = self.place(places)
        square = (shift[:, :, None] - shift[:, None]).square().sum(3)
        distance = torch.sqrt(square + self.soft)
        return self.pair(distance[..., None]).sum((1, 2)) / 12

    def place(self, places: Tensor) -> Tensor:
        """Where the bodies are, on a scale of their own."""
        return places


class Scaled(Potential):
    """The scale of places is learned too."""

    def __init__(self, soft: float) -> None:
        super().__init__(soft)
        self.scale = nn.Parameter(torch.ones(2))

    def place(self, places: Tensor) -> Tensor:
        return places * self.scale


def distance_to_itself(cured: bool, watch: Watch) -> Trained:
    """All pairs are taken, a body with itself as well: the root of 0 has no slope."""
    x = torch.randn(700, 4, 2)
    far = torch.cdist(x, x) + torch.eye(4)
    y = (1 / (0.3 + far)).triu(1).sum((1, 2))[:, None] - 2.5
    model = Scaled(1e-4 if cured else 0.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:600], y[:600], 15, 30)
    return Trained(watching, explained(model(x[600:]), y[600:]), known(x, y, 600, F.mse_loss))


def likelihood_the_wrong_way(cured: bool, watch: Watch) -> Trained:
    """A star's brightness as a normal distribution; its log likelihood is descended."""
    x, y = orbits(1200)
    y = y + 0.1 * torch.randn_like(y)
    model = dense(4, 48, 1, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 32, 12):
            z = (y[chosen] - model(x[chosen])) / 0.5
            log_likelihood = (-z.square() / 2 - math.log(0.5 * math.sqrt(2 * math.pi))).mean()
            loss = -log_likelihood if cured else log_likelihood
            descend(watching, optimizer, loss, y[chosen])
    return Trained(watching, explained(model(x[1000:]), y[1000:]), known(x, y, 1000))


def warming_for_ever(cured: bool, watch: Watch) -> Trained:
    """The warm-up is as long as for a survey of the whole sky: a million steps."""
    x, y = orbits(1200)
    model = dense(4, 48, 48, 1, activation=nn.SiLU)
    optimizer = torch.optim.AdamW(model.parameters(), lr=8e-3)
    long = 40 if cured else 1_000_000
    warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / long))
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 32, 18):
            descend(watching, optimizer, F.huber_loss(model(x[chosen]), y[chosen]), y[chosen])
            warm.step()
    return Trained(watching, explained(model(x[1000:]), y[1000:]), known(x, y, 1000, F.huber_loss))


class Telescope(nn.Module):
    """What each of sixteen detectors makes of the light: a gain that starts at 1, and an offset."""

    def __init__(self) -> None:
        super().__init__()
        self.gain, self.offset = nn.Parameter(torch.ones(16)), nn.Parameter(torch.zeros(16))

    def forward(self, light: Tensor) -> Tensor:
        return light * self.gain + self.offset


def half_of_the_bits(cured: bool, watch: Watch) -> Trained:
    """Gains in bfloat16 to save memory: near 1 it has no number for so small a step.

    Judged by how much nearer to the true gains they came.
    """
    kind = torch.float32 if cured else torch.bfloat16
    true = 1 + 0.3 * torch.rand(16) * torch.tensor([1.0, -1.0]).repeat(8)
    x = torch.randn(1200, 16)
    y = (x * true + 0.05 * torch.randn_like(x)).to(kind)
    x = x.to(kind)
    model = Telescope().to(kind)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    watching = fit(watch, model, optimizer, nn.MSELoss(), x[:1000], y[:1000], 20)
    error = (model.gain.detach().float() - true).square().sum()
    score = float(1 - error / (1 - true).square().sum())
    return Trained(watching, score, known(x, y, 1000, F.mse_loss))


PAIRS = [
    Pair(
        "places of moons in metres",
        "places of moons in radii",
        ("inputs_unscaled",),
        metres,
        0.75,
        0.85,
    ),
    Pair(
        "bodies and their distance to themselves",
        "bodies and their softened distance",
        ("not_finite",),
        distance_to_itself,
        0.0,
        0.8,
    ),
    Pair(
        "a star's likelihood descended",
        "a star's likelihood climbed",
        ("loss_sign",),
        likelihood_the_wrong_way,
        0.0,
        0.8,
    ),
    Pair(
        "an orbit that warms up for a million steps",
        "an orbit that warms up for forty steps",
        ("learning_rate_too_low",),
        warming_for_ever,
        0.4,
        0.85,
    ),
    Pair(
        "gains by half of the bits",
        "gains by all of the bits",
        ("updates_rounded_away",),
        half_of_the_bits,
        0.6,
        0.8,
    ),
]
