"""Little data, and models that are no more than linear."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from sklearn import datasets
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def standardized(table: object) -> Tensor:
    x = torch.tensor(table, dtype=torch.float32)
    return (x - x.mean(0)) / x.std(0)


def iris() -> Trained:
    """A hundred flowers."""
    flowers = datasets.load_iris()
    order = torch.randperm(150)
    x, y = standardized(flowers.data)[order], torch.tensor(flowers.target)[order]
    model = dense(4, 16, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(110, 16, 25):
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    known = {
        "train": (x[:110], y[:110]),
        "valid": (x[110:], y[110:]),
        "loss_fn": F.cross_entropy,
    }
    return Trained(watch, accuracy(model, x[110:], y[110:]), known)


def logistic() -> Trained:
    """Logistic regression in full batches."""
    tumours = datasets.load_breast_cancer()
    order = torch.randperm(569)
    x = standardized(tumours.data)[order]
    y = torch.tensor(tumours.target, dtype=torch.float32)[order, None]
    model = nn.Linear(30, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    loss_fn = nn.BCEWithLogitsLoss()
    with ss.watch(model, optimizer) as watch:
        for _ in range(150):
            descend(watch, optimizer, loss_fn(model(x[:450]), y[:450]), y[:450])
    with torch.no_grad():
        score = float(((model(x[450:]) > 0) == y[450:].bool()).double().mean())
    known = {"train": (x[:450], y[:450]), "valid": (x[450:], y[450:]), "loss_fn": loss_fn}
    return Trained(watch, score, known)


def linear() -> Trained:
    """Linear regression, of which half can be told."""
    patients = datasets.load_diabetes()
    order = torch.randperm(442)
    x = standardized(patients.data)[order]
    y = standardized(patients.target[:, None])[order]
    model = nn.Linear(10, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(350, 32, 30):
            descend(watch, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
    known = {"train": (x[:350], y[:350]), "valid": (x[350:], y[350:]), "loss_fn": F.mse_loss}
    return Trained(watch, r2(model(x[350:]), y[350:]) / 0.5, known)


CASES = [
    healthy("iris", iris),
    healthy("logistic regression", logistic),
    healthy("linear regression", linear),
]
