"""Events in time: rates, their integrals, and when the next one comes."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def bursts(count: int, length: int, base: float, jump: float, decay: float) -> Tensor:
    """Waits [count, length] between the events of a self-exciting process, by thinning."""
    waits = torch.zeros(count, length)
    for i in range(count):
        excited, since = 0.0, 0.0
        for j in range(length):
            while True:
                bound = base + excited
                wait = -math.log(1 - float(torch.rand(()))) / bound
                since += wait
                excited *= math.exp(-decay * wait)
                if float(torch.rand(())) * bound <= base + excited:
                    break
            waits[i, j], since = since, 0.0
            excited += jump
    return waits


class Hawkes(nn.Module):
    """log-likelihood of a process whose rate jumps with every event and falls back."""

    def __init__(self) -> None:
        super().__init__()
        self.log_base = nn.Parameter(torch.tensor(0.0))
        self.log_jump = nn.Parameter(torch.tensor(-1.0))
        self.log_decay = nn.Parameter(torch.tensor(0.0))

    def forward(self, waits: Tensor) -> Tensor:
        base, jump, decay = self.log_base.exp(), self.log_jump.exp(), self.log_decay.exp()
        excited, total = torch.zeros(len(waits)), torch.zeros(len(waits))
        for wait in waits.unbind(1):
            faded = excited * (-decay * wait).exp()
            total = total + (base + faded).log() - base * wait - (excited - faded) / decay
            excited = faded + jump
        return total / waits.shape[1]


def hawkes() -> Trained:
    """Three numbers, by maximum likelihood."""
    waits = bursts(60, 40, 0.5, 0.8, 1.6)
    model = Hawkes()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-2)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(60, 20, 30):
            descend(watch, optimizer, -model(waits[chosen]).mean())
    truth = torch.tensor([0.5, 0.8, 1.6]).log()
    learned = torch.stack([model.log_base, model.log_jump, model.log_decay]).detach()
    return Trained(watch, 1 - float((learned - truth).abs().mean()))


class NextWait(nn.Module):
    """A mixture of log-normal waits, its parameters from a GRU over the waits before."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(1, 24, batch_first=True)
        self.head = nn.Linear(24, 9)

    def forward(self, log_waits: Tensor) -> torch.distributions.Distribution:
        hidden = self.gru(log_waits[..., None])[0]
        weight, place, width = self.head(hidden).chunk(3, -1)
        return torch.distributions.MixtureSameFamily(
            torch.distributions.Categorical(logits=weight),
            torch.distributions.Normal(place, F.softplus(width) + 0.1),
        )


def next_wait() -> Trained:
    """Waits that alternate between short and long; the density of the next one."""
    long = torch.arange(30) % 3 == torch.randint(3, (500, 1))
    log_waits = torch.where(long, 1.5, -1.0) + 0.3 * torch.randn(500, 30)
    model = NextWait()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(400, 25, 12):
            row = log_waits[chosen]
            loss = -model(row[:, :-1]).log_prob(row[:, 1:]).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            watch.step(loss)
    with torch.no_grad():
        return Trained(watch, r2(model(log_waits[400:, :-1]).mean[:, 5:], log_waits[400:, 6:]))


def rate_over_the_day() -> Trained:
    """An inhomogeneous Poisson process: log rates at the events, minus the rate's integral."""
    model = dense(2, 32, 32, 1, activation=nn.Tanh, end=nn.Softplus())
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    grid = torch.linspace(0, 1, 101)[:, None]

    def rate(t: Tensor) -> Tensor:
        return 3 + 2.5 * torch.sin(2 * math.pi * t)

    def of(t: Tensor) -> Tensor:
        return model(torch.cat([t, t.square()], 1))

    with ss.watch(model, optimizer) as watch:
        for _ in range(300):
            days = 20
            t = torch.rand(int(torch.poisson(torch.tensor(6.0 * days))), 1)
            t = t[torch.rand(len(t), 1) < rate(t) / 6].view(-1, 1)
            loss = torch.trapezoid(of(grid)[:, 0], grid[:, 0]) - of(t).log().sum() / days
            descend(watch, optimizer, loss)
    with torch.no_grad():
        return Trained(watch, r2(of(grid), rate(grid)))


def counts() -> Trained:
    """Events an hour and a place, negative binomial, with an exposure."""
    x, exposure = torch.randn(1500, 5), 1 + 9 * torch.rand(1500)
    log_rate = 0.6 * x[:, 0] - 0.5 * x[:, 1] * x[:, 2] - 0.5
    y = torch.poisson(
        exposure * log_rate.exp() * torch.distributions.Gamma(4.0, 4.0).sample((1500,))
    )

    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = dense(5, 32, 1)
            self.log_size = nn.Parameter(torch.zeros(()))

        def forward(self, x: Tensor, exposure: Tensor) -> torch.distributions.Distribution:
            log_mean = self.net(x)[:, 0] + exposure.log()
            size = self.log_size.exp()
            return torch.distributions.NegativeBinomial(size, logits=log_mean - self.log_size)

    model = Counts()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 8, 0.3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(16):
            for chosen in torch.randperm(1200).split(50):
                loss = -model(x[chosen], exposure[chosen]).log_prob(y[chosen]).mean()
                descend(watch, optimizer, loss, y[chosen])
            schedule.step()
    with torch.no_grad():
        return Trained(watch, r2(model.net(x[1200:])[:, 0], log_rate[1200:]))


CASES = [
    healthy("events that excite events", hawkes),
    healthy("the wait for the next event", next_wait),
    healthy("a rate and its integral", rate_over_the_day),
    healthy("overdispersed counts with exposure", counts),
]
