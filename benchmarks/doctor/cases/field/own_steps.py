"""Optimizers that are written by hand: signs, matrices made orthogonal, factors, whole batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


class ByRule(torch.optim.Optimizer):
    """`rule(gradient, state)` is the direction; decay is decoupled."""

    def __init__(self, parameters: Any, rule: Callable[..., Tensor], lr: float, decay: float = 0):
        super().__init__(parameters, {"lr": lr, "decay": decay})
        self.rule = rule

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.mul_(1 - group["lr"] * group["decay"])
                    p.sub_(group["lr"] * self.rule(p.grad, self.state[p]))


def lion(g: Tensor, state: dict[str, Tensor]) -> Tensor:
    """The sign of a mean, which itself moves more slowly."""
    mean = state.setdefault("mean", torch.zeros_like(g))
    direction = (0.9 * mean + 0.1 * g).sign()
    mean.lerp_(g, 0.01)
    return direction


def orthogonal(g: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Momentum whose matrix is made nearly orthogonal by Newton and Schulz's iteration."""
    mean = state.setdefault("mean", torch.zeros_like(g))
    mean.mul_(0.9).add_(g)
    if g.ndim < 2:
        return 0.05 * mean
    x = mean / (mean.norm() + 1e-7)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x


def factored(g: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Squares kept as a row and a column, and steps of bounded size (Adafactor)."""
    square = g.square() + 1e-30
    if g.ndim < 2:
        mean = state.setdefault("mean", square.clone()).lerp_(square, 0.05)
    else:
        rows = state.setdefault("rows", square.mean(1)).lerp_(square.mean(1), 0.05)
        columns = state.setdefault("columns", square.mean(0)).lerp_(square.mean(0), 0.05)
        mean = rows[:, None] * columns / rows.mean()
    step = g / mean.sqrt().clamp_min(1e-8)
    return step / step.square().mean().sqrt().clamp_min(1)


def by_rule(rule: Callable[..., Tensor], lr: float, decay: float = 0) -> Trained:
    (x, y), (xv, yv) = data.digits()
    model = dense(64, 64, 64, 10)
    optimizer = ByRule(model.parameters(), rule, lr, decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(1 - step / 260, 0.02))
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 10):
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
            schedule.step()
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, xv, yv), known)


def resilient() -> Trained:
    """Rprop: all samples in each step, and a step for each weight that grows and shrinks."""
    (x, y), (xv, yv) = data.mpg()
    model = dense(9, 16, 1, activation=nn.Tanh)
    optimizer = torch.optim.Rprop(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(40):
            descend(watch, optimizer, F.mse_loss(model(x), y), y)
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.mse_loss}
    return Trained(watch, r2(model(xv), yv), known)


def levenberg() -> Trained:
    """Gauss and Newton's step, damped more after a step that failed."""
    (x, y), (xv, yv) = data.moons()
    model = dense(2, 8, 1, activation=nn.Tanh)
    parameters = dict(model.named_parameters())
    damping = 1.0

    def errors(flat: Tensor) -> Tensor:
        sizes = [p.numel() for p in parameters.values()]
        parts = flat.split(sizes)
        weights = {
            n: part.view_as(p) for (n, p), part in zip(parameters.items(), parts, strict=True)
        }
        return (torch.func.functional_call(model, weights, (x,)) - y)[:, 0]

    with ss.watch(model) as watch:
        for _ in range(30):
            flat = torch.cat([p.detach().flatten() for p in parameters.values()])
            jacobian = torch.func.jacrev(errors)(flat)
            error = errors(flat).detach()
            loss = F.mse_loss(model(x), y)
            model.zero_grad()
            loss.backward()
            inner = jacobian.T @ jacobian + damping * torch.eye(len(flat))
            tried = flat - torch.linalg.solve(inner, jacobian.T @ error)
            if errors(tried).square().sum() < error.square().sum():
                nn.utils.vector_to_parameters(tried.detach(), model.parameters())
                damping = max(damping / 3, 1e-3)
            else:
                damping *= 4
            watch.step(loss, target=y)
    with torch.no_grad():
        score = float(((model(xv) > 0.5) == (yv > 0.5)).double().mean())
    return Trained(watch, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": F.mse_loss})


CASES = [
    healthy("Lion by hand", lambda: by_rule(lion, 3e-3, 0.1)),
    healthy("momentum made orthogonal", lambda: by_rule(orthogonal, 0.05)),
    healthy("squares as rows and columns", lambda: by_rule(factored, 5e-3)),
    healthy("resilient steps", resilient),
    healthy("Gauss and Newton, damped", levenberg),
]
