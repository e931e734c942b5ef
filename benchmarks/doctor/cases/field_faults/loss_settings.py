"""Losses of PyTorch whose settings, or the ends of the network before them, do not fit the task."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense


class Reader(nn.Module):
    """Sounds in both directions, [B, T, 4] -> log-probabilities [B, T, 6]"""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(4, 32, batch_first=True, bidirectional=True)
        self.out = nn.Linear(64, 6)

    def forward(self, x: Tensor) -> Tensor:
        return F.log_softmax(self.out(self.gru(x)[0]), 2)


def read_off(answers: Tensor) -> list[list[int]]:
    """The letters of each row [B, T] of the likeliest classes, 5 for a blank."""
    return [
        [k for i, k in enumerate(row) if k != 5 and (i == 0 or k != row[i - 1])]
        for row in answers.tolist()
    ]


def first_letter_is_blank(cured: bool, watch: Watch) -> Trained:
    """Three of five letters in a sound. The blank is left at 0, which is a letter, too."""
    sounds = 2 * torch.randn(5, 4)
    y = torch.randint(5, (800, 3))
    x = 0.3 * torch.randn(800, 15, 4)
    for place in range(3):
        x[:, 5 * place + 1 : 5 * place + 4] += sounds[y[:, place]][:, None]
    model = Reader()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(600, 30, 10):
            count = len(chosen)
            loss = F.ctc_loss(
                model(x[chosen]).transpose(0, 1),
                y[chosen],
                torch.full((count,), 15),
                torch.full((count,), 3),
                blank=5 if cured else 0,
                zero_infinity=True,
            )
            descend(watching, optimizer, loss, y[chosen])
    with torch.no_grad():
        letters = read_off(model(x[600:]).argmax(2))
    same = [one == other for one, other in zip(letters, y[600:].tolist(), strict=True)]
    return Trained(watching, sum(same) / len(same))


def smoothed_away(cured: bool, watch: Watch) -> Trained:
    """Labels are smoothed by .05, or by all but a thousandth."""
    x = torch.randn(1200, 8)
    y = (x @ torch.randn(8, 5)).argmax(1)
    model = dense(8, 48, 5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss_fn = nn.CrossEntropyLoss(label_smoothing=0.05 if cured else 0.999)
    watching = fit(watch, model, optimizer, loss_fn, x[:900], y[:900], 12)
    with torch.no_grad():
        score = right(model(x[900:]), y[900:])
    return Trained(watching, score, known(x, y, 900, F.cross_entropy))


def rates_twice(cured: bool, watch: Watch) -> Trained:
    """Counts whose rate comes out of a softplus, and whose loss takes it for a logarithm."""
    x = torch.randn(1500, 5)
    y = torch.poisson(torch.exp(0.8 * x[:, 0] - 0.6 * x[:, 1] + 1.5))[:, None]
    model = nn.Sequential(dense(5, 32, 1), nn.Softplus())
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    loss_fn = nn.PoissonNLLLoss(log_input=not cured)
    watching = fit(watch, model, optimizer, loss_fn, x[:1100], y[:1100], 20)
    with torch.no_grad():
        score = explained(model(x[1100:]), y[1100:])
    return Trained(watching, score, known(x, y, 1100, loss_fn))


def tiny_delta(cured: bool, watch: Watch) -> Trained:
    """A Huber loss whose gradient ends at a hundred-thousandth."""
    x = torch.randn(1200, 6)
    y = x[:, :1] * x[:, 1:2] + x[:, 2:3]
    model = dense(6, 32, 32, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    loss_fn = nn.HuberLoss(delta=1.0 if cured else 1e-5)
    watching = fit(watch, model, optimizer, loss_fn, x[:900], y[:900], 20)
    with torch.no_grad():
        score = explained(model(x[900:]), y[900:])
    return Trained(watching, score, known(x, y, 900, loss_fn))


def far_out_of_focus(cured: bool, watch: Watch) -> Trained:
    """A focal loss with the power 2, or 25."""
    power = 2.0 if cured else 25.0

    def focal(output: Tensor, target: Tensor) -> Tensor:
        chance = torch.sigmoid(torch.where(target > 0.5, output, -output))
        return ((1 - chance) ** power * -torch.log(chance + 1e-8)).mean()

    x = torch.randn(1200, 6)
    y = (x[:, 0] * x[:, 1] + x[:, 2] > 0).float()[:, None]
    model = dense(6, 32, 32, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    watching = fit(watch, model, optimizer, focal, x[:900], y[:900], 20)
    with torch.no_grad():
        score = float(((model(x[900:]) > 0) == (y[900:] > 0.5)).double().mean())
    return Trained(watching, score, known(x, y, 900, focal))


PAIRS = [
    Pair(
        "a blank that is a letter",
        "a blank that is no letter",
        ("target_out_of_range", "output_loss_mismatch"),
        first_letter_is_blank,
        0.6,
        0.9,
    ),
    Pair(
        "labels smoothed by .999",
        "labels smoothed by .05",
        ("loss_unsuited",),
        smoothed_away,
        0.7,
        0.85,
    ),
    Pair(
        "rates that count as logarithms of rates",
        "rates that count as rates",
        ("output_loss_mismatch",),
        rates_twice,
        0.5,
        0.6,
    ),
    Pair(
        "a Huber loss of a hundred-thousandth",
        "a Huber loss of one",
        ("loss_scale", "learning_rate_too_low"),
        tiny_delta,
        0.3,
        0.8,
    ),
    Pair(
        "a focal loss with the power 25",
        "a focal loss with the power 2",
        ("loss_scale", "learning_rate_too_low", "vanishing_gradient"),
        far_out_of_focus,
        0.75,
        0.85,
    ),
]
