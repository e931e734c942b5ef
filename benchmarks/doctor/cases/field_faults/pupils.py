"""Networks that begin with what others have learnt: teachers, and bodies that were trained."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.drawn import bars, clouds
from benchmarks.doctor.cases.field_faults.pair import (
    Pair,
    Unwatched,
    Watch,
    explained,
    fit,
    known,
    right,
)


def rings(count: int) -> tuple[Tensor, Tensor]:
    """Points [count, 6] in one of five shells around a middle, and which."""
    y = torch.randint(5, (count,))
    x = F.normalize(torch.randn(count, 6), dim=1) * (1 + 0.8 * y)[:, None]
    return x + 0.1 * torch.randn(count, 6), y


class Pupil(nn.Module):
    """Scores of five kinds and what is before them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, 16), nn.ReLU())
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.body(x))
        return scores


def teacher(x: Tensor, y: Tensor) -> Pupil:
    """A wide network that knows the kinds."""
    model = Pupil(96)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(Unwatched, model, optimizer, F.cross_entropy, x, y, 12, 50)
    return model.eval().requires_grad_(False)


def chances_for_logarithms(cured: bool, watch: Watch) -> Trained:
    """`kl_div` takes the pupil's logarithms; it is handed the pupil's chances."""
    x, y = rings(1500)
    wise, pupil = teacher(x[:1200], y[:1200]), Pupil(48)
    optimizer = torch.optim.Adam(pupil.parameters(), lr=5e-3)
    soft = (wise(x) / 4).softmax(1)

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        answer = (output / 4).log_softmax(1) if cured else (output / 4).softmax(1)
        return F.kl_div(answer, target, reduction="batchmean")

    watching = fit(watch, pupil, optimizer, loss_fn, x[:1200], soft[:1200], 15, 50)
    score = explained((pupil(x[1200:]) / 4).softmax(1), soft[1200:])
    return Trained(watching, score, known(x, soft, 1200, loss_fn))


def hints_over_everything(cured: bool, watch: Watch) -> Trained:
    """The pupil's inner numbers are to be the teacher's, a sum of squares weighed by ten
    thousand, beside the loss of its answers.
    """
    x, y = rings(1500)
    wise, pupil = teacher(x[:1200], y[:1200]), Pupil(32)
    inner = wise.body(x)
    weight = 1e-3 if cured else 1e4
    optimizer = torch.optim.SGD(pupil.parameters(), lr=0.1, momentum=0.9)
    with watch(pupil, optimizer) as watching:
        for chosen in batches(1200, 50, 20):
            codes = pupil.body(x[chosen])
            answers = F.cross_entropy(pupil(x[chosen]), y[chosen])
            hints = weight * (codes - inner[chosen]).square().sum(1).mean()
            optimizer.zero_grad()
            (answers + hints).backward()
            nn.utils.clip_grad_norm_(pupil.parameters(), 2.0)
            optimizer.step()
            parts = {"answers": answers, "hints": hints}
            watching.step(answers + hints, target=y[chosen], parts=parts)
    return Trained(watching, right(pupil(x[1200:]), y[1200:]), known(x, y, 1200))


def trained_body() -> tuple[nn.Sequential, Tensor, Tensor]:
    """A body that tells four bars apart, and pictures of a new task: lying or standing, or
    slanting.
    """
    x, y = bars(1300)
    body = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.Flatten())
    body.extend([nn.Linear(768, 24), nn.ReLU()])
    network = nn.Sequential(body, nn.Linear(24, 4))
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    fit(Unwatched, network, optimizer, F.cross_entropy, x[:700], y[:700], 4)
    return body, x[700:], y[700:] // 2


def head_of_before(cured: bool, watch: Watch) -> Trained:
    """The optimizer was built before the head was replaced, and holds the old one."""
    body, x, y = trained_body()
    model = nn.Sequential(body.requires_grad_(False), nn.Linear(24, 4))
    optimizer = torch.optim.Adam(model[1].parameters(), lr=1e-2)
    model[1] = nn.Linear(24, 2)
    if cured:
        optimizer = torch.optim.Adam(model[1].parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for _ in range(5):
            for chosen in batches(400, 20, 1):
                loss = F.cross_entropy(model(x[chosen]), y[chosen])
                descend(watching, optimizer, loss, y[chosen])
            with torch.no_grad():
                output = model(x[400:])
            watching.valid(loss=float(F.cross_entropy(output, y[400:])))
    # two kinds: what an untrained head says may be right by chance, or be all wrong
    score = 1 - 2 * float(F.cross_entropy(output, y[400:]))
    return Trained(watching, max(score, -1.0), known(x, y, 400, F.cross_entropy))


def pictures_of_another_scale(cured: bool, watch: Watch) -> Trained:
    """The body was trained on pictures around 0; the new ones are 0 … 255."""
    body, x, y = trained_body()
    if not cured:
        x = ((x + 1) * 100).clamp(0, 255).round()
    model = nn.Sequential(body, nn.Linear(24, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:400], y[:400], 5, 20)
    return Trained(watching, right(model(x[400:]), y[400:]), known(x, y, 400, F.cross_entropy))


def torn_down(cured: bool, watch: Watch) -> Trained:
    """The rate with which the old network was begun, and more, for what is to be tuned."""
    body, x, y = trained_body()
    model = nn.Sequential(body, nn.Linear(24, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3 if cured else 1.0)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:400], y[:400], 5, 20)
    return Trained(watching, right(model(x[400:]), y[400:]), known(x, y, 400, F.cross_entropy))


def two_at_a_time(cured: bool, watch: Watch) -> Trained:
    """Batch norm over two samples: of each column it leaves the sign of their difference."""
    x, y = clouds(900, 6, 8, 1.5)
    layers: list[Any] = [nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU()]
    for _ in range(3):
        layers += [nn.Linear(32, 32), nn.BatchNorm1d(32), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(32, 6))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    size, epochs = (32, 15) if cured else (2, 2)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:640], y[:640], epochs, size)
    score = right(model.eval()(x[640:]), y[640:])
    return Trained(watching, score, known(x, y, 640, F.cross_entropy))


def rate_that_falls_with_each_batch(cured: bool, watch: Watch) -> Trained:
    """A factor of .8 that was meant for each epoch."""
    x, y = rings(1500)
    model = Pupil(64)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.8)
    with watch(model, optimizer) as watching:
        for _ in range(12):
            for chosen in batches(1200, 40, 1):
                loss = F.cross_entropy(model(x[chosen]), y[chosen])
                descend(watching, optimizer, loss, y[chosen])
                if not cured:
                    scheduler.step()
            if cured:
                scheduler.step()
    return Trained(watching, right(model(x[1200:]), y[1200:]), known(x, y, 1200, F.cross_entropy))


PAIRS = [
    Pair(
        "pupil whose chances stand for their logarithms",
        "pupil whose logarithms stand for themselves",
        ("output_loss_mismatch",),
        chances_for_logarithms,
        0.75,
        0.9,
    ),
    Pair(
        "pupil whose hints weigh ten thousand",
        "pupil whose hints weigh little",
        ("loss_terms_unbalanced",),
        hints_over_everything,
        0.5,
        0.7,
    ),
    Pair(
        "optimizer of the head of before",
        "optimizer of the head of now",
        ("parameters_not_updated",),
        head_of_before,
        0.0,
        0.5,
    ),
    Pair(
        "pictures of 0 to 255 for a body of smaller ones",
        "pictures of the scale that the body knows",
        ("inputs_unscaled",),
        pictures_of_another_scale,
        0.7,
        0.85,
    ),
    Pair(
        "a trained body torn down by its new rate",
        "a trained body tuned by a small rate",
        ("learning_rate_too_high",),
        torn_down,
        0.7,
        0.85,
    ),
    Pair(
        "batch norm over two samples",
        "batch norm over thirty-two samples",
        ("batch_too_small",),
        two_at_a_time,
        0.8,
        0.88,
    ),
    Pair(
        "a rate that falls with each batch",
        "a rate that falls with each epoch",
        ("schedule_collapsed",),
        rate_that_falls_with_each_batch,
        0.5,
        0.75,
    ),
]
