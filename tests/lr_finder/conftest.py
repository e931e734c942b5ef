"""The answer of a search whose losses were not trained but set."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

import sevensteps as ss
from sevensteps.lr_finder.rates import Rate, Rates, Sharpness


def make_rates(losses: dict[float, tuple[float, str]], suggestion: float, **changes: Any) -> Rates:
    recipe = ss.Recipe("digits", step=ss.sgd(lr=suggestion))
    tried = tuple(Rate(lr, loss, 100, loss, loss, label) for lr, (loss, label) in losses.items())
    return replace(
        Rates(
            recipe,
            tried,
            suggestion,
            2.0,
            1.9,
            100,
            100,
            ((len(tried), 100),),
            (1.0, 1.0),
            Sharpness(4.0, 0.5, None, "2/λ = 0.5"),
            1.0,
        ),
        **changes,
    )


@pytest.fixture
def valley() -> Rates:
    return make_rates(
        {
            0.01: (2.0, "too low"),
            0.1: (0.2, "good"),
            1.0: (0.02, "good"),
            10.0: (1.9, "edge"),
            100.0: (math.inf, "diverges"),
        },
        1.0,
    )
