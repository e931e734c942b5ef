"""Autoencoders: codes that are drawn, and codes from a book."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Normal

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known


def sheets(count: int) -> Tensor:
    """Points [count, 16] on a bent surface of three coordinates, each column of spread 1."""
    places = torch.randn(count, 3)
    x = torch.tanh(places @ torch.randn(3, 16)) + 0.5 * places @ torch.randn(3, 16)
    return (x - x.mean(0)) / x.std(0)


class Variational(nn.Module):
    """Returns what it makes of the points, the middle and the log variance of their codes."""

    def __init__(self, reparametrised: bool = True) -> None:
        super().__init__()
        self.reparametrised = reparametrised
        self.encoder = nn.Sequential(nn.Linear(16, 48), nn.ELU(), nn.Linear(48, 12))
        self.decoder = nn.Sequential(nn.Linear(6, 48), nn.ELU(), nn.Linear(48, 16))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.encoder(x).chunk(2, 1)
        if self.training:
            drawn = Normal(mean, (0.5 * log_variance).exp())
            code = drawn.rsample() if self.reparametrised else drawn.sample()
        else:
            code = mean
        return self.decoder(code), mean, log_variance


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """From the normal distribution, of each number of each code."""
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp())


def vary(
    watch: Watch, model: Variational, weight: float, optimizer: torch.optim.Optimizer, epochs: int
) -> Trained:
    """Mean square error and `weight` times the divergence's sum."""
    x = sheets(1000)
    with watch(model, optimizer) as watching:
        for chosen in batches(800, 40, epochs):
            output, mean, log_variance = model(x[chosen])
            rebuilt = F.mse_loss(output, x[chosen])
            apart = weight * divergence(mean, log_variance).sum()
            parts = {"rebuilt": rebuilt, "divergence": apart}
            descend(watching, optimizer, rebuilt + apart, x[chosen], parts=parts)
    output, _, _ = model.eval()(x[800:])
    return Trained(watching, explained(output, x[800:]), known(x, x, 800))


def divergence_of_the_batch(cured: bool, watch: Watch) -> Trained:
    """The error is a mean over everything, the divergence a sum over everything."""
    model = Variational()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    return vary(watch, model, 1 / (40 * 16 * 20) if cured else 1.0, optimizer, 20)


def divergence_upside_down(cured: bool, watch: Watch) -> Trained:
    """Its minus is forgotten: codes are driven away from the normal distribution."""
    model = Variational()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    weight = 1 / (40 * 16)
    return vary(watch, model, weight / 20 if cured else -weight, optimizer, 20)


def draws_without_a_way_back(cured: bool, watch: Watch) -> Trained:
    """`sample` in place of `rsample`: of the error nothing gets to the encoder."""
    model = Variational(reparametrised=cured)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
    return vary(watch, model, 1 / (40 * 16 * 20), optimizer, 20)


class Book(nn.Module):
    """Codes are the nearest of 32 pages. `through`: the gradient passes over the choice."""

    def __init__(self, through: bool) -> None:
        super().__init__()
        self.through = through
        self.encoder = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
        self.pages = nn.Parameter(0.3 * torch.randn(64, 4))
        self.decoder = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 16))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        code = self.encoder(x)
        page = self.pages[torch.cdist(code.detach(), self.pages.detach()).argmin(1)]
        read = code + (page - code).detach() if self.through else page
        return self.decoder(read), code, page


def pages_that_stop_the_gradient(cured: bool, watch: Watch) -> Trained:
    x = sheets(1000)
    model = Book(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(800, 40, 25):
            output, code, page = model(x[chosen])
            error = F.mse_loss(output, x[chosen])
            book = F.mse_loss(page, code.detach())
            if cured:
                book = book + 0.25 * F.mse_loss(code, page.detach())
            descend(watching, optimizer, error + book, x[chosen])
    output, _, _ = model(x[800:])
    return Trained(watching, explained(output, x[800:]), known(x, x, 800))


def decoder_between_0_and_1(cured: bool, watch: Watch) -> Trained:
    """The columns have mean 0 and spread 1, and the decoder ends in a sigmoid."""
    x = sheets(900)
    last = [] if cured else [nn.Sigmoid()]
    model = nn.Sequential(
        nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 4), nn.Linear(4, 32), nn.Tanh()
    )
    model.extend([nn.Linear(32, 16), *last])
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    with watch(model, optimizer) as watching:
        for _ in range(20):
            for chosen in batches(700, 35, 1):
                descend(watching, optimizer, F.mse_loss(model(x[chosen]), x[chosen]), x[chosen])
            with torch.no_grad():
                watching.valid(loss=float(F.mse_loss(model(x[700:]), x[700:])))
    return Trained(watching, explained(model(x[700:]), x[700:]), known(x, x, 700, F.mse_loss))


PAIRS = [
    Pair(
        "codes whose divergence is a sum beside a mean",
        "codes whose divergence is weighed",
        ("loss_terms_unbalanced", "representation_collapsed"),
        divergence_of_the_batch,
        0.2,
        0.6,
    ),
    Pair(
        "codes driven away from the normal distribution",
        "codes drawn to the normal distribution",
        ("loss_sign",),
        divergence_upside_down,
        0.2,
        0.6,
    ),
    Pair(
        "codes drawn so that the encoder hears nothing",
        "codes drawn so that the encoder hears of the error",
        ("parameters_not_updated", "representation_collapsed"),
        draws_without_a_way_back,
        0.4,
        0.6,
    ),
    Pair(
        "pages of a book that stop the gradient",
        "pages of a book that let the gradient pass",
        ("parameters_not_updated",),
        pages_that_stop_the_gradient,
        0.62,
        0.72,
    ),
    Pair(
        "columns around 0 rebuilt by a sigmoid",
        "columns around 0 rebuilt without an end",
        ("target_out_of_range", "output_loss_mismatch"),
        decoder_between_0_and_1,
        0.5,
        0.75,
    ),
]
