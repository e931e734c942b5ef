"""What small sensors say: movements, gaps in their readings, and an angle that goes round."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def movements(count: int) -> tuple[Tensor, Tensor]:
    """Three axes for 50 moments, which of them shakes, and whether fast. [N, 3, 50], [N]"""
    kind = torch.randint(0, 6, (count,))
    pace = torch.where(kind < 3, 2.0, 6.0) * (0.8 + 0.4 * torch.rand(count))
    wave = torch.sin(torch.linspace(0, 6.28, 50) * pace[:, None] + 6.28 * torch.rand(count, 1))
    x = 0.3 * torch.randn(count, 3, 50) + torch.tensor([0.0, 0.0, 9.81])[:, None]
    x[torch.arange(count), kind % 3] += wave
    return x, kind


def gestures() -> Trained:
    """Convolutions for each channel apart; gravity is taken out by a normalisation of the input."""
    x, y = movements(1000)
    model = nn.Sequential(
        nn.BatchNorm1d(3, affine=False),
        nn.Conv1d(3, 24, 7, stride=2, groups=3),
        nn.Conv1d(24, 24, 1, bias=False),
        nn.BatchNorm1d(24),
        nn.Hardswish(),
        nn.Conv1d(24, 24, 5, stride=2, groups=24),
        nn.Conv1d(24, 32, 1, bias=False),
        nn.BatchNorm1d(32),
        nn.Hardswish(),
        nn.AdaptiveMaxPool1d(1),
        nn.Flatten(),
        nn.Linear(32, 6),
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-2, total_steps=25 * 8)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(800, 32, 8):
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
            schedule.step()
    return Trained(
        watch,
        accuracy(model, x[800:], y[800:]),
        {"train": (x[:800], y[:800]), "valid": (x[800:], y[800:])},
    )


def gaps() -> Trained:
    """A third of the readings lack and are 0; half of the input says which are there."""
    state = torch.randn(1500, 2)
    readings = state @ torch.randn(2, 12) + 0.05 * torch.randn(1500, 12)
    there = (torch.rand(1500, 12) > 0.33).float()
    x, y = torch.cat([readings * there, there], 1), state.prod(1, keepdim=True)
    model = dense(24, 64, 64, 1, activation=nn.SiLU)
    optimizer = torch.optim.NAdam(model.parameters(), lr=4e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1300, 50, 20):
            missed = (torch.rand(len(chosen), 12) > 0.1).float().repeat(1, 2)  # loses some more
            loss = F.smooth_l1_loss(model(x[chosen] * missed), y[chosen], beta=0.3)
            descend(watch, optimizer, loss, y[chosen])
    return Trained(watch, r2(model(x[1300:]), y[1300:]))


def compass() -> Trained:
    """An angle as a point on the circle; the loss is 1 - the cosine of the error."""
    angle = 6.2832 * torch.rand(1200)
    place = torch.arange(8) * 6.2832 / 8
    light = (angle[:, None] - place).cos().clamp(min=0) ** 2 + 0.02 * torch.randn(1200, 8)
    aim = torch.stack([angle.cos(), angle.sin()], 1)
    model = dense(8, 32, 2, activation=nn.Tanh)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.8, nesterov=True)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1000, 25, 8):
            point = F.normalize(model(light[chosen]), dim=1)
            loss = 1 - (point * aim[chosen]).sum(1).mean()
            descend(watch, optimizer, loss, aim[chosen])
    with torch.no_grad():
        point = F.normalize(model(light[1000:]), dim=1)
    return Trained(watch, float((point * aim[1000:]).sum(1).mean()))


CASES = [
    healthy("gestures of an accelerometer", gestures),
    healthy("sensors with gaps", gaps),
    healthy("a compass of light", compass),
]
