"""Numbers that depend on each other are told from those that do not, whatever the relation is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sevensteps.doctor.dependence import CHANCE, dependence

X = torch.randn(300, 3, generator=torch.Generator().manual_seed(0))
OTHER = torch.randn(300, 3, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("of_x", "related"),
    [
        (X @ torch.ones(3, 2), True),
        (X.square(), True),  # without any correlation
        ((X[:, 0].abs() > 0.7).long(), True),  # classes
        (X[:, :1] + 2 * OTHER[:, :1], True),  # a fifth of the variance
        (OTHER, False),
        ((OTHER[:, 0] > 0).long(), False),
        (X.roll(1, 0), False),
    ],
)
def test_relations_of_every_form(of_x: Tensor, related: bool) -> None:
    known = dependence(X, of_x)
    assert known is not None
    assert (known > CHANCE) is related


def test_what_does_not_vary_says_nothing() -> None:
    assert dependence(X, torch.ones(300)) is None
    assert dependence(X[:50], X[:50]) is None
    assert dependence(X, X[:200]) is None
    assert dependence(X, X / 0) is None
