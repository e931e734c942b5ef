"""Samples that are like no other, found by networks that have seen only common ones."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy
from benchmarks.doctor.networks import dense

MIX = torch.tensor([[1.0, 0.5, -1.0, 0.0, 0.8, -0.3], [0.2, -1.0, 0.4, 1.0, -0.5, 0.9]])


def common(count: int) -> Tensor:
    """Six columns that two hidden ones make. [N, 6]"""
    return torch.tanh(torch.randn(count, 2) @ MIX) + 0.05 * torch.randn(count, 6)


def odd(count: int) -> Tensor:
    """The same columns, each from another sample."""
    x = common(count)
    return torch.stack([column[torch.randperm(count)] for column in x.unbind(1)], 1)


def told_apart(usual: Tensor, unusual: Tensor) -> float:
    """How often an unusual sample has the larger number."""
    return float((unusual[:, None] > usual).double().mean())


def rebuilt_badly() -> Trained:
    """Through two numbers and back; what is odd comes back otherwise."""
    x = common(1500)
    model = dense(6, 32, 2, 32, 6, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(1200, 40, 15):
            noisy = x[rows] + 0.05 * torch.randn(len(rows), 6)
            descend(watch, optimizer, F.mse_loss(model(noisy), x[rows]), x[rows])

    def error(rows: Tensor) -> Tensor:
        wrong: Tensor = (model(rows) - rows).square().sum(1)
        return wrong

    with torch.no_grad():
        return Trained(watch, told_apart(error(x[1200:]), error(odd(300))))


def drawn_to_a_centre() -> Trained:
    """Codes of all are drawn to one point: no bias anywhere, or one would do it alone.

    A few odd ones that are known are pushed away from it.
    """
    x, known = common(1500), odd(60)
    model = nn.Sequential(
        nn.Linear(6, 32, bias=False),
        nn.LeakyReLU(0.1),
        nn.Linear(32, 16, bias=False),
        nn.LeakyReLU(0.1),
        nn.Linear(16, 4, bias=False),
    )
    with torch.no_grad():
        centre = model(x).mean(0) + 0.5
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-4)

    def far(rows: Tensor) -> Tensor:
        distance: Tensor = (model(rows) - centre).square().sum(1)
        return distance

    with ss.watch(model, optimizer) as watch:
        for rows in batches(1200, 60, 20):
            few = known[torch.randint(60, (20,))]
            loss = far(x[rows]).mean() + (far(few) + 1e-3).reciprocal().mean()
            descend(watch, optimizer, loss)
    with torch.no_grad():
        return Trained(watch, told_apart(far(x[1200:]), far(odd(300))))


def which_turn_was_it() -> Trained:
    """Which of six changes was made to a sample? Of an odd one this is hard to say."""
    x = common(1500)
    turns = torch.stack([torch.linalg.qr(torch.randn(6, 6))[0] for _ in range(6)])
    model = dense(6, 48, 48, 6)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(1200, 30, 15):
            y = torch.arange(6).repeat_interleave(len(rows))
            turned = torch.einsum("ni,kij->knj", x[rows], turns).reshape(-1, 6)
            descend(watch, optimizer, F.cross_entropy(model(turned), y), y)

    def doubt(rows: Tensor) -> Tensor:
        turned = torch.einsum("ni,kij->knj", rows, turns)
        chances = model(turned).log_softmax(2)
        return -torch.stack([chances[k, :, k] for k in range(6)]).sum(0)

    with torch.no_grad():
        return Trained(watch, told_apart(doubt(x[1200:]), doubt(odd(300))))


CASES = [
    healthy("odd ones by how they are rebuilt", rebuilt_badly),
    healthy("odd ones by how far they are from a point", drawn_to_a_centre),
    healthy("odd ones by a change that is not recognised", which_turn_was_it),
]
