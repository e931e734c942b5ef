"""Weights that move in other ways too: uphill first, back to a slow copy, by means, in turns."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def judged(watch: object, model: nn.Module) -> Trained:
    (x, y), (xv, yv) = data.digits()
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, xv, yv), known)


class Sharpness(torch.optim.Optimizer):
    """A step uphill, and from there the step of another optimizer, as such classes are written."""

    def __init__(self, parameters: Any, base: Callable[..., Any], rho: float, **more: Any) -> None:
        super().__init__(parameters, {"rho": rho, **more})
        self.base = base(self.param_groups, **more)

    @torch.no_grad()
    def first_step(self) -> None:
        parameters = [p for group in self.param_groups for p in group["params"]]
        norm = torch.stack([p.grad.norm() for p in parameters]).norm()
        for p in parameters:
            self.state[p]["start"] = p.clone()
            p.add_(self.param_groups[0]["rho"] / (norm + 1e-12) * p.grad)
        self.zero_grad()

    @torch.no_grad()
    def second_step(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                p.copy_(self.state[p]["start"])
        self.base.step()
        self.zero_grad()

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        raise NotImplementedError


def sharpness(base: Callable[..., Any], lr: float) -> Trained:
    (x, y), _ = data.digits()
    model = dense(64, 64, 10)
    optimizer = Sharpness(model.parameters(), base, 0.05, lr=lr)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 8):
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            loss.backward()
            optimizer.first_step()
            F.cross_entropy(model(x[chosen]), y[chosen]).backward()
            optimizer.second_step()
            watch.step(loss, target=y[chosen])
    return judged(watch, model)


def slow_weights() -> Trained:
    """Lookahead: every five steps half-way back to where the slow weights were."""
    (x, y), _ = data.digits()
    model = dense(64, 64, 10)
    slow = [p.detach().clone() for p in model.parameters()]
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    with ss.watch(model, optimizer) as watch:
        for step, chosen in enumerate(batches(len(x), 50, 8), 1):
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
            if step % 5 == 0:
                with torch.no_grad():
                    for s, p in zip(slow, model.parameters(), strict=True):
                        p.copy_(s.lerp_(p, 0.5))
    return judged(watch, model)


def towards_each_task() -> Trained:
    """Reptile: a copy learns one task, and the network goes some of the way there."""
    model = dense(1, 32, 32, 1, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)

    def task() -> tuple[Tensor, Tensor]:
        x = 4 * torch.rand(20, 1) - 2
        return x, torch.sin(2 * x) * (1 + 0.2 * torch.randn(())) + 0.2 * torch.randn(())

    def learned(x: Tensor, y: Tensor) -> tuple[nn.Module, Tensor]:
        own = copy.deepcopy(model)
        steps = torch.optim.SGD(own.parameters(), lr=0.05)
        for _ in range(4):
            steps.zero_grad()
            loss = F.mse_loss(own(x), y)
            loss.backward()
            steps.step()
        return own, loss.detach()

    with ss.watch(model, optimizer) as watch:
        for _ in range(150):
            own, loss = learned(*task())
            optimizer.zero_grad()
            for p, q in zip(model.parameters(), own.parameters(), strict=True):
                p.grad = (p - q).detach()
            optimizer.step()
            watch.step(loss)
    scores = []
    for _ in range(20):
        x, y = task()
        scores.append(r2(learned(x, y)[0](x), y))
    return Trained(watch, sum(scores) / len(scores))


def codes_by_means() -> Trained:
    """Vector quantisation whose codes are running means of what they stand for."""
    (x, _), (xv, _) = data.digits()
    encoder, decoder = dense(64, 64, 16), dense(16, 64, 64)
    model = nn.Sequential(encoder, decoder)
    codes, counts = torch.randn(24, 8), torch.ones(24)
    sums = codes.clone()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    def coded(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z = encoder(x).view(-1, 8)
        place = torch.cdist(z.detach(), codes).argmin(1)
        return z, place, (z + (codes[place] - z).detach()).view(-1, 16)

    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 12):
            z, place, straight = coded(x[chosen])
            loss = F.mse_loss(decoder(straight), x[chosen])
            loss = loss + 0.25 * F.mse_loss(z, codes[place].clone())
            descend(watch, optimizer, loss, x[chosen])
            with torch.no_grad():
                one_hot = F.one_hot(place, 24).float()
                counts.mul_(0.95).add_(0.05 * one_hot.sum(0))
                sums.mul_(0.95).add_(0.05 * one_hot.T @ z)
                codes.copy_(sums / counts.clamp_min(1e-2)[:, None])
    with torch.no_grad():
        score = r2(decoder(coded(xv)[2]), xv)
    return Trained(watch, score)


def unfrozen_in_turn() -> Trained:
    """The head first, then the layer below it, then all."""
    (x, y), _ = data.digits()
    model = dense(64, 64, 64, 10)
    layers = [layer for layer in model if isinstance(layer, nn.Linear)]
    model.requires_grad_(False)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for epoch in range(9):
            if epoch % 2 == 0 and layers:
                layers.pop().requires_grad_(True)
            for chosen in torch.randperm(len(x)).split(50):
                descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    return judged(watch, model)


def in_turns() -> Trained:
    """Factors of a matrix, each with its own optimizer, one of them moved in a step."""
    truth = torch.randn(60, 4) @ torch.randn(4, 40)

    class Product(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left = nn.Parameter(0.5 * torch.randn(60, 4))
            self.right = nn.Parameter(0.5 * torch.randn(4, 40))

        def forward(self) -> Tensor:
            return self.left @ self.right

    model = Product()
    optimizers = [torch.optim.Adam([p], lr=5e-2) for p in (model.left, model.right)]
    with ss.watch(model, optimizers) as watch:
        for step in range(300):
            loss = F.mse_loss(model(), truth)
            model.zero_grad()
            loss.backward()
            optimizers[step % 2].step()
            watch.step(loss, target=truth)
    with torch.no_grad():
        return Trained(watch, r2(model(), truth))


CASES = [
    healthy("uphill first, SGD", lambda: sharpness(torch.optim.SGD, 0.2)),
    healthy("uphill first, Adam", lambda: sharpness(torch.optim.Adam, 3e-3)),
    healthy("back to slow weights", slow_weights),
    healthy("towards each task", towards_each_task),
    healthy("codes by running means", codes_by_means),
    healthy("unfrozen in turn", unfrozen_in_turn),
    healthy("factors in turns", in_turns),
]
