"""What the nearest training samples say of the validation data."""

from __future__ import annotations

import torch

from sevensteps.doctor.validation_neighbours import both_parts
from tests.helpers.labelled import case, clouds


def test_neighbours_answer_what_lies_near_them() -> None:
    x, y = clouds(600)
    parts = both_parts(case((x[:400], y[:400]), (x[400:], y[400:]), y[400:], 1.0))
    assert parts is not None
    assert parts.score() == parts.score_among_themselves() == 1
    assert parts.gain_of_the_second_half() == 0
    numbers = x.sum(1, keepdim=True)
    parts = both_parts(case((x[:400], numbers[:400]), (x[400:], numbers[400:]), numbers[400:], 1.0))
    assert parts is not None
    assert 0.9 < parts.score() < 1


def test_of_few_samples_more_would_help() -> None:
    draw = torch.Generator().manual_seed(1)
    x = torch.rand(440, 2, generator=draw) * 6
    y = (x.floor().sum(1) % 2).long()  # a board of 36 squares
    few = both_parts(case((x[:40], y[:40]), (x[40:], y[40:]), y[40:], 1.0))
    many = both_parts(case((x[40:], y[40:]), (x[:40], y[:40]), y[:40], 1.0))
    assert few is not None
    assert many is not None
    assert few.gain_of_the_second_half() > 0.02


def test_parts_that_are_no_tables_are_not_compared() -> None:
    x, y = clouds(60)
    assert both_parts(case((x[:20], y[:20]), (x[20:], y[20:]), y[20:], 1.0)) is None  # too few
    assert both_parts(case((x, y), (x[:, :1], y), y, 1.0)) is None
    assert both_parts(case((x.long(), y), (x, y), y, 1.0)) is None
