"""Units that fire or do not: steps with a slope of one's own, times, and weights that learn where
they fire.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy


class Spike(torch.autograd.Function):
    """1 above 0, else 0; backward the slope of a fast sigmoid."""

    @staticmethod
    def forward(ctx: Any, v: Tensor) -> Tensor:
        ctx.save_for_backward(v)
        return (v > 0).float()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (v,) = ctx.saved_tensors
        return grads[0] / (1 + 10 * v.abs()) ** 2


fire = Spike.apply


class Leaky(nn.Module):
    """Units that leak, fire above 1 and are set back: [T, B, inputs] to spikes [T, B, outputs]."""

    def __init__(self, inputs: int, outputs: int, learned: bool = False) -> None:
        super().__init__()
        self.weights = nn.Linear(inputs, outputs)
        leak = torch.full((outputs,), 2.2)  # sigmoid .9
        self.leak = nn.Parameter(leak) if learned else None
        self.register_buffer("fixed", leak)

    def forward(self, spikes: Tensor) -> Tensor:
        keep = torch.sigmoid(self.fixed if self.leak is None else self.leak)
        v, fired = torch.zeros(()), []
        for current in self.weights(spikes):
            v = keep * v + current
            out = fire(v - 1)
            v = v - out.detach()
            fired.append(out)
        return torch.stack(fired)


class Spiking(nn.Module):
    """A hidden layer of leaky units; the classes' potentials, which leak but never fire."""

    def __init__(self, inputs: int, width: int, outputs: int, learned: bool = False) -> None:
        super().__init__()
        self.hidden = Leaky(inputs, width, learned)
        self.out = nn.Linear(width, outputs)

    def forward(self, spikes: Tensor) -> Tensor:
        return self.out(self.hidden(spikes)).mean(0)


def drawn_spikes() -> Trained:
    """A pixel's brightness is how often it fires; drawn anew for each batch."""
    (x, y), (xv, yv) = data.digits()
    model = Spiking(64, 100, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 12):
            spikes = (torch.rand(12, len(chosen), 64) < x[chosen]).float()
            descend(watch, optimizer, F.cross_entropy(model(spikes), y[chosen]), y[chosen])
    with torch.no_grad():
        said = model((torch.rand(20, *xv.shape) < xv).float()).argmax(1)
    return Trained(watch, float((said == yv).double().mean()))


def quiet_units() -> Trained:
    """Firing costs, and most units are silent most of the time."""
    (x, y), (xv, yv) = data.digits()

    class Constant(nn.Module):
        """The brightness is a current that flows all the time."""

        def __init__(self) -> None:
            super().__init__()
            self.hidden, self.out = Leaky(64, 120, learned=True), nn.Linear(120, 10)

        def forward(self, x: Tensor) -> Tensor:
            self.spikes = self.hidden(0.5 * x.expand(10, *x.shape))
            return self.out(self.spikes).mean(0)

    model = Constant()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 12):
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            loss = loss + 0.5 * model.spikes.mean()
            descend(watch, optimizer, loss, y[chosen])
    return Trained(watch, accuracy(model, xv, yv), {"train": (x, y), "valid": (xv, yv)})


def rhythms() -> Trained:
    """Which of four channels fires first, and whether the others follow: trains of spikes."""
    count, steps = 900, 20
    y = torch.randint(4, (count,))
    x = torch.zeros(steps, count, 12)
    start = torch.randint(0, 8, (count,))
    for i in range(count):
        for lag in range(3):
            channel = 3 * ((int(y[i]) + lag) % 4)
            x[start[i] + 3 * lag, i, channel : channel + 3] = 1
    x = ((x + (torch.rand_like(x) < 0.03)) > 0).float()
    model = Spiking(12, 64, 4, learned=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(700, 35, 20):
            descend(watch, optimizer, F.cross_entropy(model(x[:, chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        said = model(x[:, 700:]).argmax(1)
    return Trained(watch, float((said == y[700:]).double().mean()))


def first_to_fire() -> Trained:
    """The class is the unit that fires first: times, of which the smallest counts."""
    (x, y), (xv, yv) = data.digits()

    class Times(nn.Module):
        """The time at which a rising potential meets 1, larger for less input."""

        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(64, 64), nn.Linear(64, 10)

        def forward(self, x: Tensor) -> Tensor:
            rate = F.softplus(self.a(x))
            soon = torch.exp(-1 / (rate + 0.1))  # in 0..1, 1 for at once
            return 1 / (F.softplus(self.b(soon)) + 0.05)

    model = Times()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

    def loss_fn(times: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(-times, y)

    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 15):
            descend(watch, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        right = (model(xv).argmin(1) == yv).double().mean()
    return Trained(watch, float(right))


CASES = [
    healthy("spikes drawn from pixels", drawn_spikes),
    healthy("spikes that cost", quiet_units),
    healthy("rhythms of spikes", rhythms),
    healthy("the first to fire", first_to_fire),
]
