"""Networks that are the steps of an algorithm: a solver of equations, a search, a simulation."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


class Flow(nn.Module):
    """Euler's steps through a learned field, then a linear answer."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.field = dense(5, 32, 4, activation=nn.Tanh)
        self.out = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = F.pad(x, (0, 2))  # two dimensions more to move in
        for k in range(self.steps):
            time = torch.full((len(x), 1), k / self.steps)
            h = h + self.field(torch.cat([h, time], 1)) / self.steps
        answer: Tensor = self.out(h)
        return answer


def euler() -> Trained:
    """Two spirals, told apart where the flow ends."""
    angle = torch.rand(1200).sqrt() * 1.5 * math.pi
    y = torch.randint(2, (1200,))
    turned = angle + math.pi * y
    x = torch.stack([turned.cos(), turned.sin()], 1) * angle[:, None] / 2
    x = x + 0.08 * torch.randn(1200, 2)
    model = Flow(10)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(1000, 100, 30):
            descend(watch, optimizer, F.cross_entropy(model(x[rows]), y[rows]), y[rows])
    score = accuracy(model, x[1000:], y[1000:])
    known = {
        "train": (x[:1000], y[:1000]),
        "valid": (x[1000:], y[1000:]),
        "loss_fn": F.cross_entropy,
    }
    return Trained(watch, score, known)


class Thresholded(nn.Module):
    """Rounds of a step and a soft threshold, with weights shared by all rounds."""

    def __init__(self, inputs: int, codes: int, rounds: int) -> None:
        super().__init__()
        self.rounds = rounds
        self.encode = nn.Linear(inputs, codes, bias=False)
        self.inhibit = nn.Linear(codes, codes, bias=False)
        self.threshold = nn.Parameter(torch.full((codes,), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        drive = self.encode(x)
        code = F.softshrink(drive, 0.0)
        for _ in range(self.rounds):
            z = drive + self.inhibit(code)
            code = z.sign() * (z.abs() - self.threshold).relu()
        return code


def sparse_codes() -> Trained:
    """Sparse causes of mixtures, learned as in LISTA; starts from the plain algorithm."""
    atoms = F.normalize(torch.randn(40, 20), dim=1)
    codes = torch.randn(2500, 40) * (torch.rand(2500, 40) < 0.06)
    codes = codes + 0.7 * codes.sign()
    x = codes @ atoms + 0.01 * torch.randn(2500, 20)
    model = Thresholded(20, 40, 5)
    step = 1 / float(torch.linalg.matrix_norm(atoms, 2)) ** 2
    with torch.no_grad():
        model.encode.weight.copy_(step * atoms)
        model.inhibit.weight.copy_(torch.eye(40) - step * atoms @ atoms.T)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(2200, 50, 25):
            loss = (model(x[rows]) - codes[rows]).square().sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            watch.step(loss, target=codes[rows])
    with torch.no_grad():
        score = r2(model(x[2200:]), codes[2200:])
    known = {"train": (x[:2200], codes[:2200]), "valid": (x[2200:], codes[2200:])}
    return Trained(watch, score, known)


def swings(count: int, steps: int) -> Tensor:
    """Pendulums with friction: [count, steps + 1, 2] of angle and speed."""
    state = torch.rand(count, 2) * 3 - 1.5
    path = [state]
    for _ in range(steps * 10):
        angle, speed = state.unbind(1)
        speed = speed - 0.01 * (2 * angle.sin() + 0.2 * speed)
        state = torch.stack([angle + 0.01 * speed, speed], 1)
        path.append(state)
    return torch.stack(path[::10], 1)


def simulated() -> Trained:
    """One step, learned through more and more of them in a row."""
    path = swings(500, 24)
    change = dense(2, 48, 2, activation=nn.SiLU)
    optimizer = torch.optim.AdamW(change.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40, 1e-4)
    with ss.watch(change, optimizer) as watch:
        for epoch in range(40):
            ahead = 1 + epoch // 6
            for rows in torch.randperm(400).split(50):
                start = int(torch.randint(24 - ahead, ()))
                state, loss = path[rows, start], torch.zeros(())
                for k in range(1, ahead + 1):
                    state = state + change(state)
                    loss = loss + F.smooth_l1_loss(state, path[rows, start + k]) / ahead
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss)
            schedule.step()
    with torch.no_grad():
        state = path[400:, 0]
        for _ in range(24):
            state = state + change(state)
    return Trained(watch, r2(state, path[400:, -1]))


CASES = [
    healthy("a flow by Euler's steps", euler),
    healthy("sparse codes by unrolled rounds", sparse_codes),
    healthy("a simulation learned ahead", simulated),
]
