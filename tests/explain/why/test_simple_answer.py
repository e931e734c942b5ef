"""The simple answer that a network is compared with."""

from __future__ import annotations

import pytest

import sevensteps as ss
from sevensteps.explain.run_numbers import RunNumbers
from sevensteps.explain.why.simple_answer import share_interval, simple_answer


def test_it_is_a_line_for_numbers_and_the_nearest_mean_for_classes() -> None:
    for data, name in (("diabetes", "a straight line by least squares"), ("iris", "the nearest")):
        run = ss.train(data, stop="epochs(1)", out=False, watch=0)
        simple = simple_answer(RunNumbers(run.explain.subject))
        assert simple is not None
        assert simple[0].startswith(name)
        assert 0.4 < simple[1] < 1


def test_of_few_samples_much_is_left_open() -> None:
    low, high = share_interval(0.9, 20)
    assert (low, high) == (pytest.approx(0.699, abs=1e-3), pytest.approx(0.972, abs=1e-3))
