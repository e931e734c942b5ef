"""Outputs that are read in another way than as numbers or by the largest: signs, orders, grades,
angles, codes, and targets that are made over before they are compared.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.survival import concordance
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense

LossFn = Callable[[Tensor, Tensor], Tensor]


def fit(
    model: nn.Module, x: Tensor, y: Tensor, loss_fn: LossFn, judge: Callable[[Tensor], float]
) -> Trained:
    """Trained on all but the last 200 samples, and judged by the answers to these."""
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x) - 200, 50, 15):
            descend(watch, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = judge(model(x[-200:]))
    known = {"train": (x[:-200], y[:-200]), "valid": (x[-200:], y[-200:])}
    return Trained(watch, score, known)


def by_signs(several: bool, power: int) -> Trained:
    """A hinge loss by hand, of one yes or no, or of several."""
    x = torch.randn(1200, 6)
    truth = torch.stack([x[:, 0] - x[:, 1] + x[:, 2] * x[:, 3], x[:, 4] + x[:, 0]], 1)
    y = torch.where(truth > 0, 1.0, -1.0)[:, : 2 if several else 1]

    def hinge(output: Tensor, target: Tensor) -> Tensor:
        return (1 - target * output).clamp_min(0).pow(power).mean()

    def judge(answer: Tensor) -> float:
        return 2 * float((answer.sign() == y[-200:]).double().mean()) - 1

    return fit(dense(6, 32, y.shape[1]), x, y, hinge, judge)


def by_pairs() -> Trained:
    """Only which of two is better counts, and the worth itself is what the loop reports."""
    x = torch.randn(1000, 6)
    worth = torch.tanh(x[:, 0]) + 0.6 * x[:, 1] * x[:, 2]

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        ahead, better = output - output.T, (target[:, None] > target).float()
        return (F.softplus(-ahead) * better).sum() / better.sum()

    return fit(
        dense(6, 32, 1), x, worth, loss_fn, lambda o: concordance(o.squeeze(1), worth[-200:])
    )


def by_thresholds(first: bool) -> Trained:
    """Grades in order, as a yes or no at each threshold; the `first` one is always passed."""
    x = torch.randn(1000, 5)
    hidden = x[:, 0] + torch.sin(2 * x[:, 1]) + 0.2 * torch.randn(1000)
    y = torch.bucketize(hidden, torch.tensor([-1.0, 0.0, 1.0]))
    steps = torch.arange(0 if first else 1, 4)

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(output, (target[:, None] >= steps).float())

    def judge(answer: Tensor) -> float:
        grade = (answer > 0).sum(1) - int(first)
        return float((grade == y[-200:]).double().mean())

    return fit(dense(5, 32, len(steps)), x, y, loss_fn, judge)


def by_rounding() -> Trained:
    """Grades as one number."""
    x = torch.randn(1000, 4)
    y = torch.bucketize(x[:, 0] + 0.5 * x[:, 1], torch.tensor([-1.0, -0.3, 0.3, 1.0]))

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        return F.smooth_l1_loss(output, target.float())

    model = nn.Sequential(dense(4, 32, 1), nn.Flatten(0))
    return fit(model, x, y, loss_fn, lambda o: float((o.round() == y[-200:]).double().mean()))


def by_angles() -> Trained:
    """The angle to a direction that each class has: as many numbers as classes, and no logits."""
    (x, y), (xv, yv) = data.digits()
    directions = F.normalize(torch.randn(10, 10))

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        likeness = (F.normalize(output) * directions[target]).sum(1)
        return torch.acos(likeness.clamp(-0.9999, 0.9999)).mean()

    def judge(answer: Tensor) -> float:
        nearest = (F.normalize(answer) @ directions.T).argmax(1)
        return float((nearest == yv[-200:]).double().mean())

    both = torch.cat([x, xv]), torch.cat([y, yv])
    return fit(dense(64, 64, 10), *both, loss_fn, judge)


def made_over(how: str) -> Trained:
    """Targets that are standardised, or taken the logarithm of, within the loss."""
    x = torch.randn(1000, 6)
    plain = x[:, :1] + 0.4 * x[:, 1:2] * x[:, 2:3] + 0.1 * torch.randn(1000, 1)
    y = (plain + 2).exp() if how == "logarithm" else 200_000 + 60_000 * plain

    def remade(target: Tensor) -> Tensor:
        return target.log() if how == "logarithm" else (target - 200_000) / 60_000

    def judge(answer: Tensor) -> float:
        return r2(answer, remade(y[-200:]))

    return fit(dense(6, 48, 1), x, y, lambda o, t: F.mse_loss(o, remade(t)), judge)


def clamped() -> Trained:
    """Distances to a circle, compared only near it."""
    place = 2 * torch.rand(1400, 2) - 1
    y = (place.norm(dim=1, keepdim=True) - 0.5).clamp(-0.3, 0.3)
    waves = 6 * place @ torch.randn(2, 24)
    x = torch.cat([waves.sin(), waves.cos()], 1)

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(output.clamp(-0.3, 0.3), target)

    return fit(dense(48, 64, 1), x, y, loss_fn, lambda o: r2(o.clamp(-0.3, 0.3), y[-200:]))


CASES = [
    healthy("hinge", lambda: by_signs(False, 1)),
    healthy("squared hinge, two answers", lambda: by_signs(True, 2)),
    healthy("order of worth", by_pairs),
    healthy("grades by three thresholds", lambda: by_thresholds(False)),
    healthy("grades by four thresholds", lambda: by_thresholds(True)),
    healthy("grades rounded", by_rounding),
    healthy("angles to directions", by_angles),
    healthy("logarithm within the loss", lambda: made_over("logarithm")),
    healthy("standardised within the loss", lambda: made_over("standardised")),
    healthy("distances near a circle", clamped),
]
