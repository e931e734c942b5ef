"""Networks that take noise away, step by step: targets that are drawn anew each time, and a loss
that stays high.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy
from benchmarks.doctor.networks import dense

STEPS = 50


def signal_left() -> Tensor:
    """The share of the signal's variance that is left after each step, by a cosine [STEPS]."""
    t = torch.linspace(0.02, 0.98, STEPS)
    return torch.cos(t * math.pi / 2).square()


class NoisePredictor(nn.Module):
    """A point and the step that it is at -> the noise in it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.time = nn.Embedding(STEPS, 16)
        self.into = nn.Linear(width + 16, 96)
        self.inner = nn.Linear(96, 96)
        self.out = nn.Linear(96, width)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        h = F.silu(self.into(torch.cat([x, self.time(t)], 1)))
        h = h + F.silu(self.inner(h))
        answer: Tensor = self.out(h)
        return answer


def noise_prediction(images: bool) -> Trained:
    """The denoiser of a diffusion model, on rings in the plane or on digits."""
    (x, _), _ = data.digits() if images else data.circle()
    x = (x - x.mean(0)) / (x.std(0) + 1e-3)
    left = signal_left()
    model = NoisePredictor(x.shape[1])
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 64, 14 if images else 25):
            t = torch.randint(0, STEPS, (len(chosen),))
            noise = torch.randn(len(chosen), x.shape[1])
            noisy = left[t].sqrt()[:, None] * x[chosen] + (1 - left[t]).sqrt()[:, None] * noise
            loss = F.mse_loss(model(noisy, t), noise)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            watch.step(loss, target=noise)
    t = torch.arange(len(x)) % STEPS
    noise = torch.randn(x.shape)
    noisy = left[t].sqrt()[:, None] * x + (1 - left[t]).sqrt()[:, None] * noise
    with torch.no_grad():
        score = 1 - float((model.eval()(noisy, t) - noise).square().mean())
    return Trained(watch, score)


def score_matching() -> Trained:
    """The gradient of the log density of noisy points, at one strength of noise."""
    (x, _), _ = data.moons()
    x = (x - x.mean(0)) / x.std(0)
    strength = 0.6
    model = dense(2, 64, 64, 2, activation=nn.SiLU)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 20):
            noise = torch.randn(len(chosen), 2)
            score = model(x[chosen] + strength * noise)
            loss = 0.5 * (strength * score + noise).square().sum(1).mean()
            descend(watch, optimizer, loss)
    noise = torch.randn(x.shape)
    with torch.no_grad():
        left = (strength * model(x + strength * noise) + noise).square().mean()
    return Trained(watch, 1 - float(left))


CASES = [
    healthy("noise in points", lambda: noise_prediction(False)),
    healthy("noise in digits", lambda: noise_prediction(True)),
    healthy("score matching", score_matching),
]
