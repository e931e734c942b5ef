"""Weights, states and signals of complex numbers."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy, r2


class ComplexLinear(nn.Module):
    """z W + b, all complex."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        weight = torch.randn(inputs, outputs, dtype=torch.cfloat) / math.sqrt(inputs)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(outputs, dtype=torch.cfloat))

    def forward(self, z: Tensor) -> Tensor:
        return z @ self.weight + self.bias


class Modulated(nn.Module):
    """Complex layers whose sizes are cut by a ReLU, their angles left as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = ComplexLinear(12, 24), ComplexLinear(24, 24)
        self.borders = nn.Parameter(torch.full((24,), -0.1))
        self.out = nn.Linear(24, 3)

    def forward(self, z: Tensor) -> Tensor:
        h = self.first(z)
        h = h * F.relu(h.abs() + self.borders) / (h.abs() + 1e-6)
        scores: Tensor = self.out(self.second(h).abs())
        return scores


def which_way_it_turns() -> Trained:
    """A signal that turns once back, once on or twice on, from any angle. [N, 12] complex"""
    y = torch.randint(3, (1800,))
    turns = torch.tensor([-1.0, 1.0, 2.0])[y, None] + 0.3 * torch.randn(1800, 1)
    angle = 2 * math.pi * (turns * torch.arange(12) / 12 + torch.rand(1800, 1))
    z = torch.polar(torch.ones_like(angle), angle)
    z = z + 0.5 * torch.randn(1800, 12, dtype=torch.cfloat)
    model = Modulated()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(1500, 50, 12):
            descend(watch, optimizer, F.cross_entropy(model(z[rows]), y[rows]), y[rows])
    return Trained(watch, accuracy(model, z[1500:], y[1500:]))


class Rotating(nn.Module):
    """A recurrence that turns each number of its state by an angle that it learns."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.angles = nn.Parameter(math.pi * (2 * torch.rand(width) - 1))
        self.into, self.out = nn.Linear(1, 2 * width), nn.Linear(2 * width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T] -> [B, 1]"""
        turn = torch.polar(torch.ones_like(self.angles), self.angles)
        state = torch.zeros(len(x), len(self.angles), dtype=torch.cfloat)
        for t in range(x.shape[1]):
            real, imaginary = self.into(x[:, t : t + 1]).chunk(2, 1)
            state = state * turn + torch.complex(real, imaginary)
        answer: Tensor = self.out(torch.cat([state.real, state.imag], 1))
        return answer


def a_state_that_turns() -> Trained:
    """The number that stood third, after thirteen more."""
    x = torch.randn(1400, 16)
    y = x[:, 2:3]
    model = Rotating()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(1100, 50, 20):
            descend(watch, optimizer, F.mse_loss(model(x[rows]), y[rows]), y[rows])
    return Trained(watch, r2(model(x[1100:]), y[1100:]))


class Filter(nn.Module):
    """A gain and a delay for every frequency."""

    def __init__(self, frequencies: int) -> None:
        super().__init__()
        self.response = nn.Parameter(torch.ones(frequencies, dtype=torch.cfloat))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = torch.fft.irfft(torch.fft.rfft(x) * self.response, n=x.shape[1])
        return y


def a_room_measured() -> Trained:
    """The response of a room, from what was played and what was heard."""
    echo = torch.zeros(64)
    echo[0], echo[5], echo[17] = 1.0, 0.6, -0.3
    x = torch.randn(400, 64)
    y = torch.fft.irfft(torch.fft.rfft(x) * torch.fft.rfft(echo), n=64)
    y = y + 0.05 * torch.randn_like(y)
    model = Filter(33)
    optimizer = torch.optim.SGD(model.parameters(), lr=3.0)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(300, 20, 12):
            descend(watch, optimizer, F.mse_loss(model(x[rows]), y[rows]), y[rows])
    return Trained(watch, r2(model(x[300:]), y[300:]))


CASES = [
    healthy("turns through complex layers", which_way_it_turns),
    healthy("a state that turns", a_state_that_turns),
    healthy("a complex response for each frequency", a_room_measured),
]
