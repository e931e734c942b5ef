"""Losses that do not suit the answers: shapes, shares, numbers for classes, a sign."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field_faults.pair import Pair
from benchmarks.doctor.cases.step_faults.plan import Plan, adam, explained, planned, sgd
from benchmarks.doctor.cases.step_faults.unseen import drawn
from benchmarks.doctor.networks import dense


def flat_goals(cured: bool) -> Plan:
    """Columns of answers, rows of goals, and an absolute error written out."""
    (x, _), (xv, _) = drawn.beats()
    y, yv = x.diff(dim=1).abs().mean(1), xv.diff(dim=1).abs().mean(1)
    y, yv = (y - y.mean()) / y.std(), (yv - y.mean()) / y.std()
    if not cured:
        y, yv = y[:, 0], yv[:, 0]

    def absolute(output: Tensor, target: Tensor) -> Tensor:
        return (output - target).abs().mean()

    data = (x, y), (xv, yv)
    return Plan(data, drawn.Ear(kinds=1), absolute, adam(1e-2), 12, score=explained)


class Shares(drawn.Eye):
    """Ends in shares that sum to 1."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(super().forward(x), dim=1)


def shares_again(cured: bool) -> Plan:
    """Cross-entropy takes the softmax of shares."""
    model = drawn.Eye() if cured else Shares()
    return Plan(drawn.shapes(), model, nn.CrossEntropyLoss(), sgd(0.015, momentum=0.9), 6)


def number_of_a_class(output: Tensor, target: Tensor) -> Tensor:
    """Squared error to a class's number."""
    return (output[:, 0] - target).square().mean()


def nearest_number(output: Tensor, target: Tensor) -> float:
    return float((output[:, 0].round() == target).float().mean())


def sectors_as_numbers(cured: bool) -> Plan:
    """Nine sectors of a wheel, numbered by lot, and their numbers are regressed."""
    x = torch.randn(900, 2)
    sector = ((torch.atan2(x[:, 1], x[:, 0]) / 6.2832 + 0.5) * 9).long().clamp(0, 8)
    y = torch.tensor([4, 0, 7, 2, 8, 1, 5, 3, 6])[sector]
    data = drawn.parted(x, y, 675)
    if cured:
        return Plan(data, dense(2, 64, 64, 9), F.cross_entropy, adam(1e-2), 25)
    model = dense(2, 64, 64, 1)
    return Plan(data, model, number_of_a_class, adam(1e-2), 25, score=nearest_number)


def sign_forgotten(cured: bool) -> Plan:
    """The mean logarithm of the right class's share, without its minus."""

    def likelihood(output: Tensor, target: Tensor) -> Tensor:
        share = F.log_softmax(output, 1).gather(1, target[:, None]).mean()
        return -share if cured else share

    return Plan(drawn.letters(), drawn.Reader(), likelihood, adam(5e-3), 14)


PAIRS: list[Pair] = [
    planned(
        "beats: columns less rows",
        "beats: columns less columns",
        ("target_shape_mismatch",),
        flat_goals,
        0.2,
        0.85,
    ),
    planned(
        "shapes: shares before cross-entropy",
        "shapes: logits before cross-entropy",
        ("output_loss_mismatch",),
        shares_again,
        0.8,
        0.9,
    ),
    planned(
        "sectors: numbers of classes regressed",
        "sectors: classes as classes",
        ("loss_unsuited",),
        sectors_as_numbers,
        0.7,
        0.9,
    ),
    planned(
        "letters: a likelihood made small",
        "letters: a likelihood made large",
        ("loss_sign",),
        sign_forgotten,
        0.7,
        0.9,
    ),
]
