"""Networks that learn from another network: its softened answers, its hidden units, its guesses."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, healthy
from benchmarks.doctor.data import digits
from benchmarks.doctor.networks import dense


def teacher() -> nn.Sequential:
    """Trained beforehand, and fixed from then on."""
    (x, y), _ = digits()
    network = dense(64, 128, 64, 10)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for chosen in batches(len(x), 64, 12):
        optimizer.zero_grad()
        F.cross_entropy(network(x[chosen]), y[chosen]).backward()
        optimizer.step()
    return network.eval().requires_grad_(False)


def softened() -> Trained:
    """Hinton's recipe: both losses, a temperature of 4 and its square before the soft one."""
    (x, y), valid = digits()
    guide, pupil, warmth, share = teacher(), dense(64, 32, 10), 4.0, 0.7
    optimizer = torch.optim.Adam(pupil.parameters(), lr=3e-3)
    with ss.watch(pupil, optimizer) as watch:
        for chosen in batches(len(x), 64, 25):
            with torch.no_grad():
                wanted = F.softmax(guide(x[chosen]) / warmth, 1)
            logits = pupil(x[chosen])
            soft = F.kl_div(F.log_softmax(logits / warmth, 1), wanted, reduction="batchmean")
            hard = F.cross_entropy(logits, y[chosen])
            loss = share * warmth**2 * soft + (1 - share) * hard
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            parts = {"soft": share * warmth**2 * soft, "hard": (1 - share) * hard}
            watch.step(loss, target=y[chosen], parts=parts)
    return Trained(watch, accuracy(pupil, *valid), {"train": (x, y), "valid": valid})


class Hinted(nn.Module):
    """A thin pupil with a bridge to the width of the teacher's hidden layer."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh())
        self.bridge = nn.Linear(32, 64)
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(x)
        return self.head(h), self.bridge(h)


def hints() -> Trained:
    (x, y), (xv, yv) = digits()
    guide, pupil = teacher(), Hinted()
    optimizer = torch.optim.AdamW(pupil.parameters(), lr=5e-3)
    with ss.watch(pupil, optimizer) as watch:
        for epoch in range(15):
            for chosen in torch.randperm(len(x)).split(50):
                logits, hint = pupil(x[chosen])
                answer = F.cross_entropy(logits, y[chosen])
                likeness = F.mse_loss(hint, guide[:4](x[chosen]))
                weight = max(0.0, 1 - epoch / 10)  # the hints fade out
                loss = answer + weight * likeness
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(
                    loss,
                    target=y[chosen],
                    parts={"answer": answer, "likeness": weight * likeness},
                )
    with torch.no_grad():
        score = float((pupil(xv)[0].argmax(1) == yv).double().mean())
    return Trained(watch, score)


def without_labels() -> Trained:
    """Only the teacher's guesses, on mixtures of two pictures; no label is read."""
    (x, _), valid = digits()
    guide, pupil = teacher(), dense(64, 48, 10, activation=nn.GELU)
    optimizer = torch.optim.SGD(pupil.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    steps = 20 * (len(x) // 65)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.3, total_steps=steps)
    beta = torch.distributions.Beta(0.4, 0.4)
    with ss.watch(pupil, optimizer) as watch:
        for chosen in batches(len(x), 65, 20):
            share = beta.sample((len(chosen), 1))
            mixed = share * x[chosen] + (1 - share) * x[chosen].flip(0)
            guess = guide(mixed).softmax(1)
            loss = -(guess * pupil(mixed).log_softmax(1)).sum(1).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            watch.step(loss, target=guess)
    return Trained(watch, accuracy(pupil, *valid), {"valid": valid})


CASES = [
    healthy("a pupil of softened answers", softened),
    healthy("a pupil of hidden units", hints),
    healthy("a pupil without labels", without_labels),
]
