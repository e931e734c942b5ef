"""Other numbers and other steps: float64, autocast, Adagrad, a rate each layer, a step ahead."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import SWALR, AveragedModel

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def judged(watch: object, model: nn.Module) -> Trained:
    (x, y), (xv, yv) = data.digits()
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, xv, yv), known)


def double() -> Trained:
    (x, y), (xv, yv) = ((a.double(), b.double()) for a, b in data.mpg())
    model = dense(9, 32, 1, activation=nn.Tanh).double()
    optimizer = torch.optim.Rprop(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(150):
            descend(watch, optimizer, F.mse_loss(model(x), y), y)
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.mse_loss}
    return Trained(watch, r2(model(xv), yv), known)


def autocast() -> Trained:
    """Weights in float32, products in bf16, layer norm between."""
    (x, y), _ = data.digits()
    model = nn.Sequential(
        nn.Linear(64, 96), nn.LayerNorm(96), nn.GELU(), nn.Linear(96, 96), nn.LayerNorm(96),
        nn.GELU(), nn.Linear(96, 10),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 8):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = F.cross_entropy(model(x[chosen]), y[chosen])
            descend(watch, optimizer, loss, y[chosen])
    return judged(watch, model)


def adagrad() -> Trained:
    """Bags of words by a sparse embedding, for which Adagrad was made."""
    topics = torch.rand(4, 60).square()
    y = torch.randint(0, 4, (1200,))
    bags = torch.multinomial(topics[y], 12, replacement=True)

    class Bag(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.EmbeddingBag(60, 16, mode="mean", sparse=True)
            self.out = nn.Linear(16, 4)

        def forward(self, bag: Tensor) -> Tensor:
            answer: Tensor = self.out(self.words(bag))
            return answer

    model = Bag()
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1000, 50, 12):
            descend(watch, optimizer, F.cross_entropy(model(bags[chosen]), y[chosen]), y[chosen])
    known = {"train": (bags[:1000], y[:1000]), "valid": (bags[1000:], y[1000:])}
    return Trained(watch, accuracy(model, bags[1000:], y[1000:]), known)


def rates() -> Trained:
    """A smaller rate the further a layer is from the output."""
    (x, y), _ = data.digits()
    model = dense(64, 64, 64, 10)
    layers = [layer for layer in model if isinstance(layer, nn.Linear)]
    groups = [
        {"params": layer.parameters(), "lr": 4e-3 * 0.5**depth}
        for depth, layer in enumerate(reversed(layers))
    ]
    optimizer = torch.optim.NAdam(groups)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 9):
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    return judged(watch, model)


def averaged() -> Trained:
    """A constant rate at the end, over which the weights are averaged; the statistics anew."""
    (x, y), _ = data.digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    mean = AveragedModel(model)
    schedule = SWALR(optimizer, swa_lr=0.02, anneal_epochs=2)
    with ss.watch(model, optimizer) as watch:
        for epoch in range(10):
            for chosen in torch.randperm(len(x)).split(50):
                model.train()
                descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
            if epoch > 5:
                mean.update_parameters(model)
                schedule.step()
    torch.optim.swa_utils.update_bn([x], mean)
    return judged(watch, model)


def looking_ahead() -> Trained:
    """Sharpness-aware: a step uphill, the gradient there, and then the step from where one was."""
    (x, y), _ = data.digits()
    model = dense(64, 64, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 8):
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            loss.backward()
            with torch.no_grad():
                parameters = [p for p in model.parameters() if p.grad is not None]
                norm = torch.stack([p.grad.norm() for p in parameters if p.grad is not None]).norm()
                uphill = [0.05 * p.grad / norm for p in parameters if p.grad is not None]
                torch._foreach_add_(parameters, uphill)
            optimizer.zero_grad()
            F.cross_entropy(model(x[chosen]), y[chosen]).backward()
            with torch.no_grad():
                torch._foreach_sub_(parameters, uphill)
            optimizer.step()
            optimizer.zero_grad()
            watch.step(loss, target=y[chosen])
    return judged(watch, model)


CASES = [
    healthy("float64, Rprop", double),
    healthy("autocast in bf16", autocast),
    healthy("Adagrad on sparse embeddings", adagrad),
    healthy("a rate for each layer", rates),
    healthy("averaged at the end", averaged),
    healthy("a step uphill first", looking_ahead),
]
