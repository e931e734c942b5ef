"""Running statistics are those of all numbers at once."""

from __future__ import annotations

import numpy
import torch

from sevensteps.data.statistics import RunningStatistics


def test_they_are_those_of_all_numbers_at_once() -> None:
    x = torch.from_numpy(numpy.random.default_rng(2).normal(3, 2, (1000, 3, 4, 5)))
    statistics, over = RunningStatistics(x.split(77)), (0, 2, 3)
    torch.testing.assert_close(statistics.mean.flatten(), x.mean(over))
    torch.testing.assert_close(statistics.std(1).flatten(), x.std(over))
    assert torch.equal(statistics.low.flatten(), x.amin(over))
    assert torch.equal(statistics.maximum, x.amax(0))
    x[700, 2, 1, 4] = float("nan")
    assert RunningStatistics(x.split(77)).first_not_finite == (700, 2, 1, 4)
