"""Targets that are distributions."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy
from benchmarks.doctor.networks import dense


def mixed() -> Trained:
    """Pairs of samples, and of their labels, in one."""
    (x, y), (xv, yv) = data.digits()
    one_hot = F.one_hot(y, 10).float()
    model = dense(64, 96, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 15):
            other, share = chosen[torch.randperm(len(chosen))], float(np.random.beta(0.4, 0.4))
            target = share * one_hot[chosen] + (1 - share) * one_hot[other]
            logits = model(share * x[chosen] + (1 - share) * x[other])
            descend(watch, optimizer, F.cross_entropy(logits, target), target)
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, xv, yv), known)


def distilled() -> Trained:
    """A small network learns what a large one answers, and the labels."""
    (x, y), (xv, yv) = data.digits()
    teacher, student = dense(64, 128, 10), dense(64, 24, 10)
    optimizer = torch.optim.Adam(teacher.parameters(), lr=3e-3)
    for chosen in batches(len(x), 50, 8):
        optimizer.zero_grad()
        F.cross_entropy(teacher(x[chosen]), y[chosen]).backward()
        optimizer.step()
    with torch.no_grad():
        answers = (teacher(x) / 3).softmax(1)

    def loss_fn(logits: Tensor, soft: Tensor) -> Tensor:
        return 9 * F.kl_div((logits / 3).log_softmax(1), soft, reduction="batchmean")

    optimizer = torch.optim.Adam(student.parameters(), lr=5e-3)
    with ss.watch(student, optimizer) as watch:
        for chosen in batches(len(x), 50, 12):
            logits = student(x[chosen])
            loss = loss_fn(logits, answers[chosen]) + 0.3 * F.cross_entropy(logits, y[chosen])
            descend(watch, optimizer, loss, answers[chosen])
    return Trained(watch, accuracy(student, xv, yv), {"train": (x, answers), "loss_fn": loss_fn})


CASES = [
    healthy("mixed samples", mixed),
    healthy("distilled", distilled),
]
