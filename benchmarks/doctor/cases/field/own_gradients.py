"""Gradients that are changed by hand before the step: each sample's clipped, noise, projections."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, healthy, r2
from benchmarks.doctor.networks import dense


def judged(watch: object, model: nn.Module) -> Trained:
    (x, y), (xv, yv) = data.digits()
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, xv, yv), known)


def private(noise: float) -> Trained:
    """Each sample's gradient is cut to length 1, and the sum gets noise."""
    (x, y), _ = data.digits()
    model = dense(64, 48, 10, activation=nn.Tanh)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.5)

    def loss_of(weights: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(model, weights, (x[None],)), y[None])

    each = vmap(grad(loss_of), (None, 0, 0))
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 65, 12):
            weights = {name: p.detach() for name, p in model.named_parameters()}
            slopes = each(weights, x[chosen], y[chosen])
            length = torch.stack([g.flatten(1).norm(dim=1) for g in slopes.values()]).norm(dim=0)
            factor = (1 / (length + 1e-6)).clamp(max=1)
            for name, p in model.named_parameters():
                total = torch.einsum("b,b...->...", factor, slopes[name])
                p.grad = (total + noise * torch.randn_like(p)) / len(chosen)
            optimizer.step()
            with torch.no_grad():
                loss = F.cross_entropy(model(x[chosen]), y[chosen])
            watch.step(loss, target=y[chosen])
    return judged(watch, model)


def one_sample_after_another() -> Trained:
    """The same in a plain loop: a backward pass for each sample, cut, summed in a buffer."""
    (x, y), _ = data.digits()
    model = dense(64, 32, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    parameters = list(model.parameters())
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 26, 4):
            total = [torch.zeros_like(p) for p in parameters]
            losses = []
            for i in chosen:
                loss = F.cross_entropy(model(x[i][None]), y[i][None])
                model.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(parameters, 1.0)
                for sum_, p in zip(total, parameters, strict=True):
                    assert p.grad is not None
                    sum_ += p.grad
                losses.append(loss.detach())
            for sum_, p in zip(total, parameters, strict=True):
                p.grad = sum_ / len(chosen)
            optimizer.step()
            watch.step(torch.stack(losses).mean(), target=y[chosen])
    return judged(watch, model)


def conflicts_projected() -> Trained:
    """Two tasks' gradients: where they oppose, each loses the part against the other."""
    x = torch.randn(1500, 6)
    y = torch.stack([torch.sin(2 * x[:, 0]) + x[:, 1], -torch.sin(2 * x[:, 0]) + x[:, 2]], 1)
    model = dense(6, 48, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    parameters = list(model.parameters())
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 40, 15):
            losses = (model(x[chosen]) - y[chosen]).square().mean(0)
            flat = [
                torch.cat(
                    [g.flatten() for g in torch.autograd.grad(loss, parameters, retain_graph=True)]
                )
                for loss in losses
            ]
            against = torch.dot(flat[0], flat[1]).clamp(max=0)
            total = sum(
                a - against / b.square().sum().clamp_min(1e-9) * b for a, b in (flat, flat[::-1])
            )
            for p, g in zip(parameters, total.split([p.numel() for p in parameters]), strict=True):
                p.grad = g.view_as(p)
            optimizer.step()
            watch.step(losses.sum(), target=y[chosen])
    with torch.no_grad():
        return Trained(watch, r2(model(x[1200:]), y[1200:]))


def centred_by_hooks() -> Trained:
    """Hooks on the weights take the mean out of each row's gradient and cut its values."""
    (x, y), _ = data.digits()
    model = dense(64, 64, 64, 10)
    for p in model.parameters():
        if p.ndim > 1:
            p.register_hook(lambda g: (g - g.mean(1, keepdim=True)).clamp(-0.05, 0.05))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 10):
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[chosen])
    return judged(watch, model)


CASES = [
    healthy("each sample's gradient cut, with noise", lambda: private(0.6)),
    healthy("each sample's gradient cut", lambda: private(0.0)),
    healthy("a backward pass for each sample", one_sample_after_another),
    healthy("opposing gradients projected", conflicts_projected),
    healthy("gradients centred by hooks", centred_by_hooks),
]
