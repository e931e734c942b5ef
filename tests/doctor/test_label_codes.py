"""Labels of the validation data in another code, or in another order than their inputs."""

from __future__ import annotations

import torch

from sevensteps.doctor.label_codes import labels_at_random, renamed_classes
from tests.helpers.labelled import case, clouds


def test_labels_of_another_list_of_names() -> None:
    x, y = clouds(600)
    names = torch.tensor([0, 2, 1, 3])
    train, (xv, yv) = (x[:400], y[:400]), (x[400:], y[400:])
    score = float((names[yv] == yv).double().mean())
    assert renamed_classes(case(train, (xv, names[yv]), yv, score)) == ({1: 2, 2: 1}, 1.0)
    assert renamed_classes(case(train, (xv, yv), yv, 1.0)) is None
    # a network that takes one class for another has nothing to do with names
    mistaken = torch.where(yv == 1, 2, yv)
    assert renamed_classes(case(train, (xv, yv), mistaken, 0.75)) is None


def test_labels_in_another_order_than_their_inputs() -> None:
    x, y = clouds(600)
    train, (xv, yv) = (x[:400], y[:400]), (x[400:], y[400:])
    shuffled = yv[torch.randperm(200, generator=torch.Generator().manual_seed(2))]
    score = float((shuffled == yv).double().mean())
    assert labels_at_random(case(train, (xv, shuffled), yv, score))
    assert not labels_at_random(case(train, (xv, yv), yv, 1.0))
    # of labels that have nothing to do with the inputs in either part, no order is wrong
    noise = torch.randint(4, (600,), generator=torch.Generator().manual_seed(3))
    assert not labels_at_random(case((x[:400], noise[:400]), (xv, noise[400:]), yv, 0.25))


def test_numbers_in_another_order_than_their_inputs() -> None:
    x, _ = clouds(600)
    y = x.sum(1, keepdim=True)
    train, (xv, yv) = (x[:400], y[:400]), (x[400:], y[400:])
    shuffled = yv[torch.randperm(200, generator=torch.Generator().manual_seed(2))]
    assert labels_at_random(case(train, (xv, shuffled), yv, -1.0))
    assert not labels_at_random(case(train, (xv, yv), yv, 1.0))
