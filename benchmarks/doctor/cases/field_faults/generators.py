"""Generators: a code that says nothing, networks that are not stepped, ranges that do not fit."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from sklearn import datasets
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known
from benchmarks.doctor.networks import dense


def pictures() -> Tensor:
    """scikit-learn's digits [1797, 64] in 0 … 1, in an order of their own."""
    x = torch.tensor(datasets.load_digits().data / 16, dtype=torch.float32)
    return x[torch.randperm(len(x))]


class Variational(nn.Module):
    """Mean and log-variance of a code, a draw of it, and the picture."""

    def __init__(self, inputs: int = 64, code: int = 8, end: nn.Module | None = None) -> None:
        super().__init__()
        self.encoder, self.decoder = dense(inputs, 64, 2 * code), dense(code, 64, inputs)
        self.end = end or nn.Identity()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.encoder(x).chunk(2, 1)
        z = mean
        if self.training:
            z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        return self.end(self.decoder(z)), mean, log_variance


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """From the standard normal, of each code [B, code]."""
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)


def rebuilt(model: nn.Module, x: Tensor) -> float:
    with torch.no_grad():
        return explained(model.eval()(x)[0], x)


def divergence_summed(cured: bool, watch: Watch) -> Trained:
    """The divergence is summed, the error of the pixels is a mean: the code has nothing to say."""
    x = pictures()
    model = Variational()
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(1400, 50, 12):
            output, mean, log_variance = model(x[chosen])
            error = (output - x[chosen]) ** 2
            pixels = error.sum(1).mean() * 5 if cured else error.mean()
            loss = pixels + divergence(mean, log_variance).sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watching.step(loss, target=x[chosen])
    return Trained(watching, rebuilt(model, x[1400:]), known(x, x, 1400))


def standardised_into_a_sigmoid(cured: bool, watch: Watch) -> Trained:
    """The pictures were standardised, and the decoder still ends in a sigmoid."""
    x = pictures()
    x = (x - x.mean()) / x.std() * 2
    model = dense(64, 48, 12, 48, 64, end=None if cured else nn.Sigmoid())
    optimizer = torch.optim.RMSprop(model.parameters(), 2e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(1400, 50, 15):
            loss = F.mse_loss(model(x[chosen]), x[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watching.step(loss, target=x[chosen])
    with torch.no_grad():
        score = explained(model(x[1400:]), x[1400:])
    data = {"train": (x[:1400], x[:1400]), "valid": (x[1400:], x[1400:]), "loss_fn": F.mse_loss}
    return Trained(watching, score, data)


def decoder_not_stepped(cured: bool, watch: Watch) -> Trained:
    """Encoder and decoder are two modules, and the optimizer was given one of them twice."""
    x = pictures()
    encoder, decoder = dense(64, 48, 10), dense(10, 48, 64)
    parts = (encoder, decoder) if cured else (encoder,)
    optimizer = torch.optim.Adam(itertools.chain(*(p.parameters() for p in parts)), 5e-3)
    with watch({"encoder": (encoder, optimizer), "decoder": (decoder, optimizer)}) as watching:
        for chosen in batches(1400, 50, 15):
            loss = F.mse_loss(decoder(encoder(x[chosen])), x[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watching.step(loss, target=x[chosen])
    with torch.no_grad():
        score = explained(decoder(encoder(x[1400:])), x[1400:])
    return Trained(watching, score)


def cloud(count: int) -> Tensor:
    """Points [N, 2] of a narrow cloud around (2, -1.5)."""
    return torch.tensor([2.0, -1.5]) + torch.randn(count, 2) * torch.tensor([0.6, 0.3])


def like_the_cloud(points: Tensor) -> float:
    """1 - the differences of mean and spread, at least -1."""
    away = (points.mean(0) - torch.tensor([2.0, -1.5])).norm()
    away = away + (points.std(0) - torch.tensor([0.6, 0.3])).abs().sum()
    return max(float(1 - away), -1.0) if bool(away.isfinite()) else -1.0


def made_points_detached(cured: bool, watch: Watch) -> Trained:
    """The points are detached in the generator's turn too."""
    maker, judge = dense(4, 24, 2), dense(2, 32, 1, activation=nn.SiLU)
    of_maker = torch.optim.Adam(maker.parameters(), 3e-3, betas=(0.5, 0.9))
    of_judge = torch.optim.Adam(judge.parameters(), 5e-3, betas=(0.5, 0.9))
    truth = F.binary_cross_entropy_with_logits
    with watch({"judge": (judge, of_judge), "maker": (maker, of_maker)}) as watching:
        for _ in range(400):
            real, fake = cloud(64), maker(torch.randn(64, 4))
            on_real, on_fake = judge(real), judge(fake.detach())
            loss = truth(on_real, torch.ones(64, 1)) + truth(on_fake, torch.zeros(64, 1))
            of_judge.zero_grad()
            loss.backward()
            of_judge.step()
            wish = truth(judge(fake if cured else fake.detach()), torch.ones(64, 1))
            of_maker.zero_grad()
            wish.backward()
            of_maker.step()
            watching.step(loss + wish, parts={"judge": loss, "maker": wish})
    with torch.no_grad():
        return Trained(watching, like_the_cloud(maker(torch.randn(500, 4))))


def variance_runs_away(cured: bool, watch: Watch) -> Trained:
    """The log-variance of raw pictures is doubled, not halved, and its exponential overflows."""
    x = pictures() * (1 if cured else 255)
    model = Variational()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(1400, 50, 10):
            mean, log_variance = model.encoder(x[chosen]).chunk(2, 1)
            spread = (0.5 * log_variance).exp() if cured else (2 * log_variance).exp()
            output = model.decoder(mean + spread * torch.randn_like(mean))
            error = ((output - x[chosen]) ** 2).sum(1).mean() * 5
            loss = error + divergence(mean, log_variance).sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watching.step(loss, target=x[chosen])
    return Trained(watching, rebuilt(model, x[1400:]), known(x, x, 1400))


PAIRS = [
    Pair(
        "a divergence that is summed against a mean",
        "a divergence beside a sum of pixels",
        ("loss_terms_unbalanced", "representation_collapsed"),
        divergence_summed,
        0.2,
        0.4,
    ),
    Pair(
        "standardised pictures from a sigmoid",
        "standardised pictures from a linear layer",
        ("target_out_of_range", "output_loss_mismatch"),
        standardised_into_a_sigmoid,
        0.4,
        0.6,
    ),
    Pair(
        "a decoder that is not stepped",
        "a decoder that is stepped",
        ("parameters_not_updated",),
        decoder_not_stepped,
        0.35,
        0.4,
    ),
    Pair(
        "made points detached for their maker",
        "made points with their graph",
        ("parameters_not_updated",),
        made_points_detached,
        -0.3,
        0.2,
    ),
    Pair(
        "a variance whose exponential overflows",
        "a variance of ones",
        ("not_finite", "inputs_unscaled", "exploding_gradient"),
        variance_runs_away,
        0.2,
        0.4,
    ),
]
