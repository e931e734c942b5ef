"""Weights averaged over the steps: at the end, for a teacher, after each restart."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import SWALR, AveragedModel, get_ema_multi_avg_fn, update_bn
from torch.utils.data import DataLoader, TensorDataset

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy
from benchmarks.doctor.data import digits


def normalised() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 10)
    )


def last_epochs() -> Trained:
    """The mean of the last epochs at a rate that stays, its statistics measured anew."""
    (x, y), valid = digits()
    loader = DataLoader(TensorDataset(x, y), 50, shuffle=True)
    model = normalised()
    mean = AveragedModel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 8)
    steady = SWALR(optimizer, swa_lr=0.05, anneal_epochs=1)
    loss_fn = nn.CrossEntropyLoss(label_smoothing=0.1)
    with ss.watch(model, optimizer) as watch:
        for epoch in range(14):
            for inputs, target in loader:
                descend(watch, optimizer, loss_fn(model(inputs), target), target)
            if epoch < 8:
                cosine.step()
            else:
                steady.step()
                mean.update_parameters(model)
    update_bn(loader, mean)
    known = {"train": loader, "valid": valid, "loss_fn": loss_fn}
    return Trained(watch, accuracy(mean, *valid), known)


def mean_teacher() -> Trained:
    """120 labels; on the rest the answers agree with those of the running mean of itself."""
    (x, y), valid = digits()
    labelled = torch.arange(120)
    model = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Dropout(0.1), nn.Linear(96, 10))
    guide = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.97))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def noisy(rows: Tensor) -> Tensor:
        return x[rows] + 0.1 * torch.randn(len(rows), 64)

    steps = 0
    with ss.watch(model, optimizer) as watch:
        for rows in batches(len(x), 64, 20):
            some = labelled[torch.randint(120, (32,))]
            known = F.cross_entropy(model(noisy(some)), y[some])
            with torch.no_grad():
                wanted = guide(noisy(rows)).softmax(1)
            ramp = min(1.0, steps / 200)
            agreement = 5 * ramp * F.mse_loss(model(noisy(rows)).softmax(1), wanted)
            loss = known + agreement
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            guide.update_parameters(model)
            steps += 1
            watch.step(loss, parts={"labels": known, "agreement": agreement})
    return Trained(watch, accuracy(guide, *valid))


def restarts() -> Trained:
    """A rate that falls and starts again; the networks at the ends of the cycles vote."""
    (x, y), (xv, yv) = digits()
    model = nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 10),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    per_cycle = 4 * -(-len(x) // 50)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, per_cycle)
    voters: list[nn.Module] = []
    with ss.watch(model, optimizer) as watch:
        for step, rows in enumerate(batches(len(x), 50, 12), 1):
            descend(watch, optimizer, F.cross_entropy(model(x[rows]), y[rows]), y[rows])
            schedule.step()
            if step % per_cycle == 0:
                voters.append(copy.deepcopy(model))
                with torch.no_grad():
                    output = model(xv)
                share = float((output.argmax(1) == yv).double().mean())
                watch.valid(loss=F.cross_entropy(output, yv), score=share)
    with torch.no_grad():
        votes = torch.stack([voter(xv).softmax(1) for voter in voters]).mean(0)
    score = float((votes.argmax(1) == yv).double().mean())
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, score, known)


CASES = [
    healthy("the mean of the last epochs", last_epochs),
    healthy("a teacher of running means", mean_teacher),
    healthy("votes of warm restarts", restarts),
]
