"""Learning to learn: a step within a step, and classes that are new in every batch."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, descend, healthy
from benchmarks.doctor.networks import dense


def waves(count: int) -> tuple[Tensor, Tensor]:
    """Sines of random phase and height: x and y [tasks, 20, 1]."""
    x = 6 * torch.rand(count, 20, 1) - 3
    height, phase = 1 + torch.rand(count, 1, 1), math.pi * torch.rand(count, 1, 1)
    return x, height * torch.sin(x + phase)


def inner_step() -> Trained:
    """MAML: the loss after one step of gradient descent on each task, differentiated through it."""
    model = dense(1, 40, 40, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def adapted(x: Tensor, y: Tensor) -> dict[str, Tensor]:
        parameters = dict(model.named_parameters())
        loss = F.mse_loss(functional_call(model, parameters, (x,)), y)
        gradients = torch.autograd.grad(loss, list(parameters.values()), create_graph=True)
        return {
            name: p - 0.05 * g for (name, p), g in zip(parameters.items(), gradients, strict=True)
        }

    def outer(count: int) -> Tensor:
        x, y = waves(count)
        losses = [
            F.mse_loss(functional_call(model, adapted(a[:10], b[:10]), (a[10:],)), b[10:])
            for a, b in zip(x, y, strict=True)
        ]
        return torch.stack(losses).mean()

    with ss.watch(model, optimizer) as watch:
        for _ in range(180):
            descend(watch, optimizer, outer(6))
    _, y = waves(200)
    return Trained(watch, 1 - float(outer(60).detach() / y.var()))


def prototypes() -> Trained:
    """Five digits of ten in each step, each told by the mean code of five samples."""
    (x, y), (xv, yv) = data.digits()
    members = [torch.nonzero(y == digit).flatten() for digit in range(10)]
    model = dense(64, 64, 16)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(200):
            episode = [
                members[d][torch.randperm(len(members[d]))[:10]]
                for d in torch.randperm(10)[:5].tolist()
            ]
            code = model(x[torch.stack(episode).flatten()]).view(5, 10, 16)
            centre, asked = code[:, :5].mean(1), code[:, 5:].reshape(-1, 16)
            target = torch.arange(5).repeat_interleave(5)
            loss = F.cross_entropy(-torch.cdist(asked, centre).square(), target)
            descend(watch, optimizer, loss, target)
    with torch.no_grad():
        code = model(x)
        centres = torch.stack([code[member].mean(0) for member in members])
        score = float((torch.cdist(model(xv), centres).argmin(1) == yv).double().mean())
    return Trained(watch, score)


def generated() -> Trained:
    """A network that writes the weights of another."""
    writer = nn.Sequential(nn.Linear(2, 48), nn.ReLU(), nn.Linear(48, 3 * 16 + 1))
    with torch.no_grad():
        last = writer[2]
        assert isinstance(last, nn.Linear)
        last.bias.normal_(std=0.5)
    optimizer = torch.optim.Adam(writer.parameters(), lr=4e-3)

    def errors(count: int) -> tuple[Tensor, Tensor]:
        task = 0.5 + torch.rand(count, 2)
        x = 4 * torch.rand(count, 12) - 2
        y = task[:, :1] * torch.sin(task[:, 1:] * 2 * x)
        weights = writer(task - 1)
        a, b, c = (weights[:, k * 16 : (k + 1) * 16, None] for k in range(3))
        hidden = torch.tanh(2 * a * x[:, None] + b)
        return (c * hidden).sum(1) + weights[:, -1:], y

    with ss.watch(writer, optimizer) as watch:
        for _ in range(350):
            answer, y = errors(32)
            descend(watch, optimizer, F.mse_loss(answer, y), y)
    with torch.no_grad():
        answer, y = errors(300)
    return Trained(watch, 1 - float((answer - y).square().mean() / y.var()))


CASES = [
    healthy("a step within a step", inner_step),
    healthy("prototypes of new classes", prototypes),
    healthy("weights written by a network", generated),
]
