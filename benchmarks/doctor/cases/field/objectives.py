"""Losses that compare, weigh or bound, and whose curves say little by themselves."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.metric_learning import nearest_neighbour
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def proxies() -> Trained:
    """A point for each class, that is learned; only the distances to it are compared."""
    (x, y), _ = data.digits()

    class Proxies(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.points = dense(64, 64, 16), nn.Parameter(torch.randn(10, 16))

        def forward(self, x: Tensor) -> Tensor:
            codes: Tensor = F.normalize(self.body(x))
            return codes

    model = Proxies()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 8):
            alike = model(x[chosen]) @ F.normalize(model.points).T
            margin = 0.1 * F.one_hot(y[chosen], 10)
            loss = F.cross_entropy(8 * (alike - margin), y[chosen])
            descend(watch, optimizer, loss, y[chosen])
    return Trained(watch, nearest_neighbour(model))


def lifetimes() -> Trained:
    """A Weibull distribution's likelihood: of some only that they lasted longer is known."""
    x = torch.randn(1000, 4)
    scale = torch.exp(x[:, 0] - 0.7 * x[:, 1] + 0.5)
    time = scale * torch.empty(1000).exponential_() ** 0.6
    limit = 3 * torch.rand(1000) + 0.2
    seen, time = time <= limit, torch.minimum(time, limit)
    model = dense(4, 32, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)

    def likelihood(output: Tensor, time: Tensor, seen: Tensor) -> Tensor:
        log_scale, log_shape = output.unbind(1)
        shape = log_shape.exp()
        z = shape * (time.log() - log_scale)
        return z.exp() - seen * (log_shape + z - time.log())

    with ss.watch(model, optimizer) as watch:
        for chosen in batches(800, 50, 15):
            loss = likelihood(model(x[chosen]), time[chosen], seen[chosen].float()).mean()
            descend(watch, optimizer, loss, time[chosen])
    with torch.no_grad():
        return Trained(watch, r2(model(x[800:])[:, 0], scale[800:].log()))


def replaced_words() -> Trained:
    """Which words of a row were replaced: a yes or no at each place, a tenth of them yes."""
    start, step = torch.randint(0, 15, (1500, 1)), torch.randint(1, 3, (1500, 1))
    rows = (start + step * torch.arange(10)) % 15
    odd = torch.rand(rows.shape) < 0.12
    rows = torch.where(odd, torch.randint(0, 15, rows.shape), rows)
    truth = odd.float()

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(15, 24)
            self.body = nn.GRU(24, 32, batch_first=True, bidirectional=True)
            self.out = nn.Linear(64, 1)

        def forward(self, tokens: Tensor) -> Tensor:
            answer: Tensor = self.out(self.body(self.words(tokens))[0]).squeeze(-1)
            return answer

    model = Reader()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 50, 8):
            loss = F.binary_cross_entropy_with_logits(model(rows[chosen]), truth[chosen])
            descend(watch, optimizer, loss, truth[chosen])
    with torch.no_grad():
        answer = torch.sigmoid(model(rows[1200:]))
    known = {"train": (rows[:1200], truth[:1200]), "valid": (rows[1200:], truth[1200:])}
    return Trained(watch, r2(answer.reshape(-1), truth[1200:].reshape(-1)), known)


def hard_ones() -> Trained:
    """The mean over the half of a batch that is most wrong."""
    (x, y), (xv, yv) = data.digits()
    model = dense(64, 64, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 64, 10):
            each = F.cross_entropy(model(x[chosen]), y[chosen], reduction="none")
            descend(watch, optimizer, each.topk(len(each) // 2).values.mean(), y[chosen])
    with torch.no_grad():
        score = float((model(xv).argmax(1) == yv).double().mean())
    return Trained(watch, score, {"train": (x, y), "valid": (xv, yv)})


class Reversed(torch.autograd.Function):
    """x, with its gradient turned round."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> Tensor:
        return -0.3 * gradients[0]


def two_domains() -> Trained:
    """Digits, and a head that is to be left unable to tell bright images from dark ones."""
    (x, y), (xv, yv) = data.digits()

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(64, 64), nn.ReLU())
            self.digit, self.domain = nn.Linear(64, 10), nn.Linear(64, 2)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            h = self.body(x)
            return self.digit(h), self.domain(Reversed.apply(h))

    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 10):
            dark = torch.randint(0, 2, (len(chosen),))
            digit, domain = model(x[chosen] * (1 - 0.5 * dark[:, None]))
            loss = F.cross_entropy(digit, y[chosen]) + F.cross_entropy(domain, dark)
            descend(watch, optimizer, loss, y[chosen])
    with torch.no_grad():
        score = float((model(0.5 * xv)[0].argmax(1) == yv).double().mean())
    return Trained(watch, score, {"train": (x, y), "valid": (xv, yv)})


def gated() -> Trained:
    """Three networks, mixed by a noisy gate that is to use all of them."""
    x = torch.randn(1200, 4)
    y = torch.where(x[:, :1] > 0, torch.sin(2 * x[:, 1:2]), x[:, 2:3] * x[:, 3:])

    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate, self.parts = nn.Linear(4, 3), nn.ModuleList(dense(4, 24, 1) for _ in "123")

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            raw = self.gate(x)
            if self.training:
                raw = raw + 0.3 * torch.randn(raw.shape)
            share = raw.softmax(1)
            answer = (share[:, None] * torch.stack([p(x) for p in self.parts], 2)).sum(2)
            return answer, share

    model = Gated()
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1000, 50, 20):
            answer, share = model(x[chosen])
            importance = share.mean(0)
            loss = F.mse_loss(answer, y[chosen]) + 0.05 * importance.var() / importance.mean() ** 2
            descend(watch, optimizer, loss, y[chosen])
    with torch.no_grad():
        score = r2(model.eval()(x[1000:])[0], y[1000:])
    return Trained(watch, score, {"train": (x[:1000], y[:1000]), "valid": (x[1000:], y[1000:])})


def drawn_evenly() -> Trained:
    """One sample in 15 is a yes; the loader draws as many of them as of the others."""
    x = torch.randn(1800, 6)
    y = (x[:, 0] + torch.tanh(x[:, 1] * 2) + 0.3 * torch.randn(1800) > 2).float()
    weight = torch.where(y[:1500] > 0, 1 / y.mean(), 1 / (1 - y.mean()))
    loader = DataLoader(
        TensorDataset(x[:1500], y[:1500]), 50, sampler=WeightedRandomSampler(weight.tolist(), 1500)
    )
    model = nn.Sequential(dense(6, 32, 1), nn.Flatten(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    loss_fn = nn.BCEWithLogitsLoss()
    with ss.watch(model, optimizer) as watch:
        for _ in range(6):
            for xb, yb in loader:
                descend(watch, optimizer, loss_fn(model(xb), yb), yb)
    with torch.no_grad():
        yes = model(x[1500:]) > 0
    rates = [float((yes == (y[1500:] > 0))[y[1500:] == side].double().mean()) for side in (0, 1)]
    known = {"train": (x[:1500], y[:1500]), "valid": (x[1500:], y[1500:]), "loss_fn": loss_fn}
    return Trained(watch, sum(rates) / 2, known)


def lower_bound() -> Trained:
    """Mutual information between two views, by a critic (the loss is below 0, and noisy)."""

    def draw(count: int) -> tuple[Tensor, Tensor]:
        shared = torch.randn(count, 2)
        return tuple(0.8 * shared + 0.6 * torch.randn(count, 2) for _ in range(2))  # type: ignore[return-value]

    model = dense(4, 64, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def bound(a: Tensor, b: Tensor) -> Tensor:
        joint = model(torch.cat([a, b], 1)).mean()
        apart = model(torch.cat([a, b[torch.randperm(len(b))]], 1)).squeeze(1)
        return joint - (apart.logsumexp(0) - torch.tensor(float(len(b))).log())

    with ss.watch(model, optimizer) as watch:
        for _ in range(300):
            descend(watch, optimizer, -bound(*draw(100)))
    with torch.no_grad():
        return Trained(watch, float(bound(*draw(4000))) / 0.53)  # of -log(1 - .64²)


CASES = [
    healthy("a point for each class", proxies),
    healthy("lifetimes seen in part", lifetimes),
    healthy("words that were replaced", replaced_words),
    healthy("the hard half of a batch", hard_ones),
    healthy("two domains", two_domains),
    healthy("three networks and a gate", gated),
    healthy("a rare yes, drawn evenly", drawn_evenly),
    healthy("a bound from below", lower_bound),
]
