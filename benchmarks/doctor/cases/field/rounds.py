"""Trainings within rounds: labels that are asked for, folds, teachers, easy samples first."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy
from benchmarks.doctor.networks import dense


def judged(watch: object, model: nn.Module) -> Trained:
    (x, y), (xv, yv) = data.digits()
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, xv, yv), known)


def labels_asked_for() -> Trained:
    """Active learning: the labels of those samples that the network is least sure of."""
    (x, y), (xv, yv) = data.digits()
    model = dense(64, 64, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    labelled = torch.randperm(len(x))[:100]
    with ss.watch(model, optimizer) as watch:
        for _ in range(6):
            for _ in range(8):
                for part in torch.randperm(len(labelled)).split(25):
                    chosen = labelled[part]
                    loss = F.cross_entropy(model(x[chosen]), y[chosen])
                    descend(watch, optimizer, loss, y[chosen])
            with torch.no_grad():
                sure = model(x).softmax(1).amax(1)
            sure[labelled] = 2.0
            labelled = torch.cat([labelled, sure.argsort()[:60]])
    known = {"train": (x[labelled], y[labelled]), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, xv, yv), known)


def folds() -> Trained:
    """Cross-validation: the network goes back to its start for each of four folds."""
    (x, y), _ = data.digits()
    model = dense(64, 48, 10)
    start = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    begun = copy.deepcopy(optimizer.state_dict())
    parts = torch.randperm(len(x)).chunk(4)
    scores = []
    with ss.watch(model, optimizer) as watch:
        for i, left_out in enumerate(parts):
            model.load_state_dict(start)
            optimizer.load_state_dict(begun)
            rows = torch.cat([part for j, part in enumerate(parts) if j != i])
            for _ in range(6):
                model.train()
                for part in torch.randperm(len(rows)).split(50):
                    chosen = rows[part]
                    loss = F.cross_entropy(model(x[chosen]), y[chosen])
                    descend(watch, optimizer, loss, y[chosen])
            scores.append(accuracy(model, x[left_out], y[left_out]))
    return Trained(watch, sum(scores) / 4)


def two_that_choose_for_each_other() -> Trained:
    """Co-teaching: labels are partly wrong, and each network learns what the other finds easy."""
    (x, y), (xv, yv) = data.digits()
    wrong = torch.rand(len(y)) < 0.25
    noisy = torch.where(wrong, torch.randint(10, (len(y),)), y)
    pair = nn.ModuleList([dense(64, 64, 10), dense(64, 64, 10)])
    optimizers = [torch.optim.Adam(model.parameters(), lr=2e-3) for model in pair]
    with ss.watch(pair, optimizers) as watch:
        for epoch in range(12):
            share = 1 - min(epoch / 4, 1) * 0.25
            for chosen in torch.randperm(len(x)).split(65):
                losses = [
                    F.cross_entropy(m(x[chosen]), noisy[chosen], reduction="none") for m in pair
                ]
                easy = [loss.detach().argsort()[: int(share * len(chosen))] for loss in losses]
                total = losses[0][easy[1]].mean() + losses[1][easy[0]].mean()
                for optimizer in optimizers:
                    optimizer.zero_grad()
                total.backward()
                for optimizer in optimizers:
                    optimizer.step()
                watch.step(total)
    return Trained(watch, max(accuracy(model, xv, yv) for model in pair))


def from_a_teacher() -> Trained:
    """Distillation: a wide teacher's softened answers, and the labels; the teacher stays still."""
    (x, y), _ = data.digits()
    teacher = dense(64, 128, 10)
    steps = torch.optim.Adam(teacher.parameters(), lr=3e-3)
    for chosen in batches(len(x), 50, 6):
        steps.zero_grad()
        F.cross_entropy(teacher(x[chosen]), y[chosen]).backward()
        steps.step()
    teacher.eval().requires_grad_(False)
    model = dense(64, 16, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    heat = 4.0
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 16):
            output = model(x[chosen])
            soft = (teacher(x[chosen]) / heat).softmax(1)
            loss = 0.3 * F.cross_entropy(output, y[chosen])
            loss = loss + 0.7 * heat**2 * F.kl_div(
                (output / heat).log_softmax(1), soft, reduction="batchmean"
            )
            descend(watch, optimizer, loss, y[chosen])
    return judged(watch, model)


def easy_first() -> Trained:
    """A curriculum: the samples nearest to their class's mean, then more and more of the others."""
    (x, y), _ = data.digits()
    means = torch.stack([x[y == c].mean(0) for c in range(10)])
    order = (x - means[y]).norm(dim=1).argsort()
    model = dense(64, 64, 10)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    with ss.watch(model, optimizer) as watch:
        for epoch in range(12):
            rows = order[: min(300 + 150 * epoch, len(x))]
            for part in torch.randperm(len(rows)).split(50):
                chosen = rows[part]
                with torch.autocast("cpu", dtype=torch.bfloat16):
                    output = model(x[chosen])
                loss = F.cross_entropy(output.float(), y[chosen], label_smoothing=0.1)
                descend(watch, optimizer, loss, y[chosen])
    return judged(watch, model)


CASES = [
    healthy("labels asked for in rounds", labels_asked_for),
    healthy("four folds from one start", folds),
    healthy("two that choose for each other", two_that_choose_for_each_other),
    healthy("a teacher's softened answers", from_a_teacher),
    healthy("samples near their mean first", easy_first),
]
