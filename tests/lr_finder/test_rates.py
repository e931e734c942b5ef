"""How the losses of a search are judged, on losses whose right answer is known beforehand."""

from __future__ import annotations

import math

import pytest

from sevensteps.lr_finder.rates import best_window, classify, loss_ratio, most_robust_rate


@pytest.mark.parametrize(
    ("loss", "above", "expected"),
    [
        (1.0, False, "good"),
        (1.0, True, "good"),
        (1.09, True, "good"),
        (1.5, False, "too low"),
        (1.5, True, "edge"),
        (8.9, False, "too low"),
        (8.95, True, "diverges"),
        (9.5, False, "too low"),
        (math.inf, True, "diverges"),
        (math.inf, False, "diverges"),
    ],
)
def test_a_label(loss: float, above: bool, expected: str) -> None:
    assert classify(loss, best=1.0, start=10.0, nothing=9.0, above=above) == expected


def test_a_loss_near_zero_is_good_by_the_way_it_came() -> None:
    assert classify(0.02, best=1e-5, start=2.3, nothing=2.3, above=False) == "good"
    assert classify(0.03, best=1e-5, start=2.3, nothing=2.3, above=False) == "too low"


def test_a_loss_that_hardly_falls_is_not_good_for_being_near_the_best() -> None:
    assert classify(1.05, best=1.0, start=1.06, nothing=1.06, above=False) == "too low"
    assert classify(1.01, best=1.0, start=1.06, nothing=1.06, above=False) == "good"


def test_of_equals_the_one_away_from_the_cliff_is_taken() -> None:
    assert most_robust_rate({0: 2.0, 1: 1.04, 2: 1.02, 3: 1.0, 4: math.inf}, 1e-9) == 2
    # no other is as good
    assert most_robust_rate({0: 2.0, 1: 1.5, 2: 1.2, 3: 1.0, 4: math.inf}, 1e-9) == 3
    assert most_robust_rate({5: 3.0, 6: 1.0, 7: 3.0}, 1e-9) == 6
    # what the precision cannot tell apart is equal
    assert most_robust_rate({0: 1e-5, 1: 3e-13, 2: 1e-12, 3: 1e-15, 4: 1e-2}, 1e-9) == 2
    # of equals the lowest
    assert most_robust_rate({9: 1e-12, 8: 1e-12, 7: 1e-12, 6: 1e-12}, 1e-9) == 6


def test_a_window_lies_around_the_best() -> None:
    losses = [9, 8, 5, 2, 1, 1.5, 3, math.inf, math.inf]
    assert list(best_window(losses, 3, 100)) == [3, 4, 5]
    assert list(best_window([9, 5, 2, 1, math.inf, math.inf], 3, 100)) == [1, 2, 3]
    assert list(best_window([math.inf] * 3, 3, 100)) == [0, 1, 2]


def test_a_ratio() -> None:
    assert (loss_ratio(3.0, 2.0), loss_ratio(0.0, 0.0), loss_ratio(1.0, 0.0)) == (
        1.5,
        1.0,
        math.inf,
    )
