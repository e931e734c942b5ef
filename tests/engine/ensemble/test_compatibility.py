"""Which settings of two modules count as the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sevensteps.engine.ensemble.compatibility import first_difference
from sevensteps.seeds import generator


def holding(setting: object) -> nn.Module:
    """A network whose second module has a setting that it does not print."""
    network = nn.Sequential(nn.Identity(), nn.Identity())
    network[1].setting = setting  # type: ignore[assignment]
    return network


def times(factor: float) -> Callable[[float], float]:
    return lambda x: factor * x


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, 1),
        ("a", "a"),
        (F.relu, F.relu),
        (times(2), times(2)),
        ((1, [2.0]), (1, [2.0])),
        ({"a": torch.ones(2)}, {"a": torch.ones(2)}),
        (torch.float32, torch.float32),
        (generator(0, "dropout"), generator(1, "dropout")),
    ],
)
def test_alike(a: object, b: object) -> None:
    assert first_difference(holding(a), holding(b)) is None


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, 2),
        (1, 1.0),
        (F.relu, F.gelu),
        (times(2), times(3)),
        ([1], [1, 2]),
        ({"a": 1}, {"b": 1}),
        (torch.ones(2), torch.zeros(2)),
        (torch.ones(2), torch.ones(3)),
        (object(), object()),
        (np.ones(2), np.zeros(2)),
        (lambda x: x, lambda x: -x),
    ],
)
def test_different(a: object, b: object) -> None:
    assert first_difference(holding(a), holding(b)) == "1.setting"


def test_a_setting_that_only_one_has() -> None:
    one: Any = holding(1)
    del one[1].setting
    assert first_difference(one, holding(1)) == first_difference(holding(1), one) == "1.setting"
