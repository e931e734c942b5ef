"""Ways to take a step."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, healthy, r2
from benchmarks.doctor.networks import dense


def judged(watch: object, model: nn.Module) -> Trained:
    (x, y), (xv, yv) = data.digits()
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, xv, yv), known)


def lbfgs() -> Trained:
    (x, y), (xv, yv) = data.mpg()
    model = dense(9, 8, 1, activation=nn.Tanh)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=1, line_search_fn="strong_wolfe")
    with ss.watch(model, optimizer) as watch:
        for _ in range(6):

            def closure() -> Tensor:
                optimizer.zero_grad()
                loss = F.mse_loss(model(x), y)
                loss.backward()
                return loss

            watch.step(optimizer.step(closure), target=y)
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.mse_loss}
    return Trained(watch, r2(model(xv), yv), known)


def scaled() -> Trained:
    """With a gradient scaler, unscaled before clipping."""
    (x, y), _ = data.digits()
    model = dense(64, 64, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 8):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = F.cross_entropy(model(x[chosen]), y[chosen])
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
            watch.step(loss, target=y[chosen])
    return judged(watch, model)


def accumulated() -> Trained:
    """Four backward passes a step, clipped; one report each step."""
    (x, y), _ = data.digits()
    model = dense(64, 64, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for index, chosen in enumerate(batches(len(x), 16, 10), 1):
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            (loss / 4).backward()
            if index % 4 == 0:
                nn.utils.clip_grad_norm_(model.parameters(), 0.5)
                optimizer.step()
                optimizer.zero_grad()
                watch.step(loss, target=y[chosen])
    return judged(watch, model)


def nesterov() -> Trained:
    (x, y), _ = data.digits()
    model = dense(64, 64, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 8):
            optimizer.zero_grad(set_to_none=False)
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[chosen])
    return judged(watch, model)


def by_hand() -> Trained:
    """No optimizer: the weights are moved in a no_grad block."""
    (x, y), _ = data.digits()
    model = dense(64, 64, 10)
    with ss.watch(model) as watch:
        for chosen in batches(len(x), 50, 12):
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            loss.backward()
            with torch.no_grad():
                for p in model.parameters():
                    assert p.grad is not None
                    p -= 0.2 * p.grad
                    p.grad.zero_()
            watch.step(loss, target=y[chosen])
    return judged(watch, model)


CASES = [
    healthy("LBFGS", lbfgs),
    healthy("gradient scaler", scaled),
    healthy("accumulated and clipped", accumulated),
    healthy("Nesterov momentum", nesterov),
    healthy("no optimizer", by_hand),
]
