"""Few steps, few samples, one sample a step, all samples in each step."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from sklearn import datasets
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def fifty_steps() -> Trained:
    (x, y), (xv, yv) = data.digits()
    model = dense(64, 64, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for chosen in list(batches(len(x), 64, 3))[:50]:
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, xv, yv), known)


def patient() -> Trained:
    """Ended once the validation loss was no better for three epochs; the best weights are kept."""
    (x, y), (xv, yv) = data.digits()
    x, y = x[:300], y[:300]
    model = dense(64, 128, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    best, kept, waited = float("inf"), copy.deepcopy(model.state_dict()), 0
    with ss.watch(model, optimizer) as watch:
        for _ in range(40):
            model.train()
            for chosen in torch.randperm(len(x)).split(20):
                descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
            model.eval()
            with torch.no_grad():
                loss = float(F.cross_entropy(model(xv), yv))
            if loss < best - 1e-3:
                best, kept, waited = loss, copy.deepcopy(model.state_dict()), 0
            elif (waited := waited + 1) == 3:
                break
    model.load_state_dict(kept)
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, xv, yv), known)


def one_at_a_time() -> Trained:
    (x, y), (xv, yv) = data.moons()
    model = dense(2, 16, 16, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03)
    loss_fn = nn.BCEWithLogitsLoss()
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 1, 4):
            descend(watch, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = float(((model(xv) > 0) == (yv > 0)).double().mean())
    return Trained(watch, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": loss_fn})


def full_batch() -> Trained:
    """Plain gradient descent on a table."""
    x_, y_ = datasets.load_breast_cancer(return_X_y=True)
    order = torch.randperm(len(x_))
    x, y = torch.tensor(x_, dtype=torch.float32)[order], torch.tensor(y_).float()[order, None]
    x = (x - x[:400].mean(0)) / x[:400].std(0)
    model = dense(30, 16, 1, activation=nn.Tanh)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    loss_fn = nn.BCEWithLogitsLoss()
    with ss.watch(model, optimizer) as watch:
        for _ in range(120):
            descend(watch, optimizer, loss_fn(model(x[:400]), y[:400]), y[:400])
    with torch.no_grad():
        score = float(((model(x[400:]) > 0) == (y[400:] > 0)).double().mean())
    known = {"train": (x[:400], y[:400]), "valid": (x[400:], y[400:]), "loss_fn": loss_fn}
    return Trained(watch, score, known)


def forty_points() -> Trained:
    """A curve through 40 points, with as many left to judge it."""
    x = torch.linspace(-3, 3, 80)[torch.randperm(80), None]
    y = torch.sin(x) + 0.1 * torch.randn(80, 1)
    model = dense(1, 32, 1, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(300):
            descend(watch, optimizer, F.mse_loss(model(x[:40]), y[:40]), y[:40])
    known = {"train": (x[:40], y[:40]), "valid": (x[40:], y[40:]), "loss_fn": F.mse_loss}
    return Trained(watch, r2(model(x[40:]), y[40:]), known)


def stream() -> Trained:
    """Each sample is seen once: data that are drawn as they are needed."""
    model = dense(6, 48, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    mixing = torch.randn(6, 4)

    def draw(count: int) -> tuple[Tensor, Tensor]:
        x = torch.randn(count, 6)
        return x, (torch.tanh(x) @ mixing).argmax(1)

    with ss.watch(model, optimizer) as watch:
        for _ in range(300):
            x, y = draw(32)
            descend(watch, optimizer, F.cross_entropy(model(x), y), y)
    return Trained(watch, accuracy(model, *draw(1000)))


CASES = [
    healthy("fifty steps", fifty_steps),
    healthy("ended by patience", patient),
    healthy("one at a time", one_at_a_time),
    healthy("full batch", full_batch),
    healthy("forty points", forty_points),
    healthy("each sample once", stream),
]
