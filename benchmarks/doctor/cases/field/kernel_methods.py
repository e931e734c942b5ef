"""Kernels, trained as networks are: random features, a Gaussian process, landmarks."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, healthy, r2
from benchmarks.doctor.data import digits


class Features(nn.Module):
    """Random Fourier features, which are not trained, and a linear layer, which starts at 0."""

    frequencies: Tensor
    phases: Tensor

    def __init__(self, inputs: int, count: int, outputs: int, length: float) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.randn(inputs, count) / length)
        self.register_buffer("phases", torch.rand(count) * 2 * math.pi)
        self.out = nn.Linear(count, outputs)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        h = (x @ self.frequencies + self.phases).cos() * (2 / len(self.phases)) ** 0.5
        answer: Tensor = self.out(h)
        return answer


def random_features() -> Trained:
    """Least squares with a ridge, in float64, by LBFGS on all samples at once."""
    x = torch.rand(700, 2, dtype=torch.float64) * 4 - 2
    y = (2 * x[:, :1]).sin() * (1.5 * x[:, 1:]).cos() + 0.05 * torch.randn(700, 1)
    model = Features(2, 200, 1, 0.7).double()
    optimizer = torch.optim.LBFGS(
        model.parameters(), lr=1.0, max_iter=10, line_search_fn="strong_wolfe"
    )
    with ss.watch(model, optimizer) as watch:
        for _ in range(12):

            def closure() -> float:
                optimizer.zero_grad()
                ridge = 1e-5 * model.out.weight.square().sum()
                loss = F.mse_loss(model(x[:550]), y[:550]) + ridge
                loss.backward()
                return loss  # type: ignore[return-value]

            loss = optimizer.step(closure)
            watch.step(loss, target=y[:550])
    with torch.no_grad():
        score = r2(model(x[550:]), y[550:])
    known = {"train": (x[:550], y[:550]), "valid": (x[550:], y[550:]), "loss_fn": F.mse_loss}
    return Trained(watch, score, known)


class Process(nn.Module):
    """A Gaussian process over features of a small network: the covariance of inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.warp = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 2))
        self.log_length = nn.Parameter(torch.zeros(()))
        self.log_scale = nn.Parameter(torch.zeros(()))
        self.log_noise = nn.Parameter(torch.tensor(-1.0))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        a, b = self.warp(a), self.warp(b)
        squares = (a[:, None] - b).square().sum(2)
        far: Tensor = squares / (2 * (2 * self.log_length).exp())
        return (self.log_scale - far).exp()


def gaussian_process() -> Trained:
    x = torch.randn(260, 3)
    y = (x[:, 0] * 2).sin() + 0.5 * x[:, 1] * x[:, 2].tanh() + 0.1 * torch.randn(260)
    (x, xv), (y, yv) = x.split([160, 100]), y.split([160, 100])
    model = Process()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-2)

    def triangle() -> Tensor:
        noise = (2 * model.log_noise).exp() + 1e-4
        covariance: Tensor = model(x, x) + noise * torch.eye(len(x))
        lower: Tensor = torch.linalg.cholesky(covariance)
        return lower

    with ss.watch(model, optimizer) as watch:
        for _ in range(120):
            lower = triangle()
            solved = torch.cholesky_solve(y[:, None], lower)[:, 0]
            evidence = -0.5 * y @ solved - lower.diagonal().log().sum()
            loss = -(evidence - 0.5 * len(y) * math.log(2 * math.pi)) / len(y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    with torch.no_grad():
        mean = model(xv, x) @ torch.cholesky_solve(y[:, None], triangle())
    return Trained(watch, r2(mean[:, 0], yv))


class Landmarks(nn.Module):
    """Likeness to samples that stand for the rest, whitened, and a linear answer."""

    landmarks: Tensor
    whiten: Tensor

    def __init__(self, landmarks: Tensor, length: float) -> None:
        super().__init__()
        self.length = length
        self.register_buffer("landmarks", landmarks)
        values, vectors = torch.linalg.eigh(self.likeness(landmarks))
        self.register_buffer("whiten", vectors / values.clamp(min=1e-4).sqrt())
        self.out = nn.Linear(len(landmarks), 10)

    def likeness(self, x: Tensor) -> Tensor:
        return (-torch.cdist(x, self.landmarks).square() / (2 * self.length**2)).exp()

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.out(self.likeness(x) @ self.whiten)
        return scores


def margins() -> Trained:
    """A support vector machine with steps 1 / (λ t), one class against the rest."""
    (x, y), valid = digits()
    model = Landmarks(x[torch.randperm(len(x))[:150]], 1.5)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1 / (1 + 0.02 * t))
    with ss.watch(model, optimizer) as watch:
        for rows in batches(len(x), 20, 10):
            sign = 2.0 * F.one_hot(y[rows], 10) - 1
            hinge = (1 - sign * model(x[rows])).relu().square().sum(1).mean()
            loss = hinge + 1e-3 * model.out.weight.square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            watch.step(loss, target=y[rows])
    return Trained(watch, accuracy(model, *valid), {"train": (x, y), "valid": valid})


CASES = [
    healthy("random features by least squares", random_features),
    healthy("a Gaussian process on features", gaussian_process),
    healthy("margins over landmarks", margins),
]
