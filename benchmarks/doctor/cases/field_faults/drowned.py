"""Several terms or networks: one drowns the other."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.drawn import bars, bent, clouds
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, right
from benchmarks.doctor.networks import dense


def divergence_summed(cured: bool, watch: Watch) -> Trained:
    """A variational autoencoder: pixels' errors as a mean, the divergence as a sum."""
    x = torch.tanh(torch.randn(1200, 3) @ torch.randn(3, 48))
    encoder, decoder = dense(48, 48, 12), dense(6, 48, 48)
    model = nn.ModuleList([encoder, decoder])
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 40, 20):
            mean, log_variance = encoder(x[chosen]).chunk(2, 1)
            z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
            error = (decoder(z) - x[chosen]).square()
            divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
            if cured:
                loss = error.sum(1).mean() + 0.5 * divergence.sum(1).mean()
            else:
                loss = error.mean() + divergence.sum()
            descend(watching, optimizer, loss, x[chosen])
    with torch.no_grad():
        score = explained(decoder(encoder(x[1000:])[:, :6]), x[1000:])
    return Trained(watching, score)


def price_and_kind(cured: bool, watch: Watch) -> Trained:
    """A kind, and a price in cents: the price's squared error is the whole loss."""
    x, kind = clouds(1500, 6, 8, apart=1.2)
    price = 30_000 + 9_000 * torch.sin(x[:, :1]) + 4_000 * x[:, 1:2]
    if cured:
        price = (price - price.mean()) / price.std()

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = dense(8, 32, 16, end=nn.ReLU())
            self.kind, self.price = nn.Linear(16, 6), nn.Linear(16, 1)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            x = self.body(x)
            return self.kind(x), self.price(x)

    model = Both()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(1200, 40, 10):
            answer, amount = model(x[chosen])
            loss = F.cross_entropy(answer, kind[chosen]) + F.mse_loss(amount, price[chosen])
            descend(watching, optimizer, loss, kind[chosen])
    return Trained(watching, right(model(x[1200:])[0], kind[1200:]))


def sparsity_for_everything(cured: bool, watch: Watch) -> Trained:
    """A penalty on the absolute weights that is larger than all there is to gain."""
    x, y = bent(1500)
    model = dense(6, 64, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(1200, 40, 20):
            size = sum(p.abs().sum() for p in model.parameters())
            loss = F.mse_loss(model(x[chosen]), y[chosen]) + (1e-4 if cured else 0.3) * size
            descend(watching, optimizer, loss, y[chosen])
    return Trained(watching, explained(model(x[1200:]), y[1200:]))


def derivative_for_everything(cured: bool, watch: Watch) -> Trained:
    """y'' = -9 y from y = 0 with slope 3: the equation weighs all, the start nothing."""
    model = dense(1, 32, 32, 1, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    zero = torch.zeros(1, 1, requires_grad=True)

    def slope(y: Tensor, t: Tensor) -> Tensor:
        return torch.autograd.grad(y.sum(), t, create_graph=True)[0]

    with watch(model, optimizer) as watching:
        for _ in range(900):
            t = torch.rand(48, 1, requires_grad=True)
            y = model(t)
            equation = (slope(slope(y, t), t) + 9 * y).square().mean()
            start = model(zero)
            begun = (start.square() + (slope(start, zero) - 3).square()).mean()
            loss = 0.01 * equation + begun if cured else 1e3 * equation + 1e-3 * begun
            descend(watching, optimizer, loss)
    t = torch.linspace(0, 1, 100)[:, None]
    with torch.no_grad():
        return Trained(watching, explained(model(t), torch.sin(3 * t)))


def style_for_everything(cured: bool, watch: Watch) -> Trained:
    """A helper task's loss, summed over its many outputs, beside the mean of the main one's."""
    x, y = bars(1200)
    noise = x.flatten(1) + torch.randn(1200, 64)

    class Helped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Flatten(), dense(64, 32, 8, end=nn.ReLU()))
            self.kind, self.helper = nn.Linear(8, 4), nn.Linear(8, 64)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            x = self.body(x)
            return self.kind(x), self.helper(x)

    model = Helped()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1 if cured else 2e-4, momentum=0.9)
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 25, 12):
            kind, helper = model(x[chosen])
            extra = F.mse_loss(helper, noise[chosen], reduction="mean" if cured else "sum")
            loss = F.cross_entropy(kind, y[chosen]) + extra
            descend(watching, optimizer, loss, y[chosen])
    return Trained(watching, right(model(x[1000:])[0], y[1000:]))


PAIRS = [
    Pair(
        "a divergence summed against errors' mean",
        "a divergence and errors summed alike",
        ("loss_terms_unbalanced", "representation_collapsed"),
        divergence_summed,
        0.3,
        0.7,
    ),
    Pair(
        "a price in cents beside a kind",
        "a price of spread one beside a kind",
        ("loss_terms_unbalanced", "targets_unscaled"),
        price_and_kind,
        0.6,
        0.75,
    ),
    Pair(
        "a penalty of weights larger than the loss",
        "a small penalty of weights",
        ("loss_terms_unbalanced", "weight_decay_too_strong"),
        sparsity_for_everything,
        0.2,
        0.75,
    ),
    Pair(
        "an equation that drowns its start",
        "an equation and its start",
        ("loss_terms_unbalanced",),
        derivative_for_everything,
        0.4,
        0.9,
    ),
    Pair(
        "a helper task summed beside a main one",
        "a helper task's mean beside a main one",
        ("loss_terms_unbalanced", "loss_scale"),
        style_for_everything,
        0.7,
        0.85,
    ),
]
