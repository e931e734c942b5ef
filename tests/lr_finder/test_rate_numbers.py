"""Learning rates by their numbers."""

from __future__ import annotations

import pytest

from sevensteps.lr_finder.rate_numbers import (
    RATE_COUNT,
    RATES_ABOVE_EDGE,
    lowest_rate_number,
    rate_at,
    with_rate,
)
from sevensteps.steps.step import cosine, sgd


@pytest.mark.parametrize(("number", "lr"), [(-6, 0.1), (-5, 0.15), (0, 1.0), (4, 4.6), (-30, 1e-5)])
def test_rates_have_two_digits(number: int, lr: float) -> None:
    assert rate_at(number) == lr


def test_a_schedule_is_scaled_to_begin_at_the_rate() -> None:
    assert with_rate(sgd(lr=0.1, momentum=0.9), 0.5) == sgd(lr=0.5, momentum=0.9)
    assert with_rate(sgd(lr=cosine(0.5, final=0.25)), 1.0) == sgd(lr=cosine(1.0, final=0.5))


def test_all_rates_but_a_few_lie_below_the_edge_of_stability() -> None:
    low = lowest_rate_number(sgd(lr=0.1), 1.0)
    above = [n for n in range(low, low + RATE_COUNT) if rate_at(n) > 1]
    assert len(above) == RATES_ABOVE_EDGE
