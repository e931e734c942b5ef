"""The counting behind the ceilings: operations, bytes and what binds, on rates made up."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.limits.ceilings import floor, parameters, taken
from benchmarks.limits.products import operations

SIZES = (784, 30, 10)
SPEEDS = {"gathered": 1e9, "cached": 1e9}


def network() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(784, 30), torch.nn.ReLU(), torch.nn.Linear(30, 10))


@pytest.mark.draws
def test_parameters_and_operations_are_those_that_pytorch_counts() -> None:
    model = network()
    assert parameters(SIZES) == sum(p.numel() for p in model.parameters())
    with FlopCounterMode(display=False) as counter:
        model(torch.ones(256, 784)).sum().backward()
    assert operations(SIZES, 256) == counter.get_total_flops()


def test_the_floor_is_the_slowest_part_and_the_sum_of_all() -> None:
    parts = floor(SIZES, batch=100, samples=1000, products=0.5, rates=SPEEDS)
    assert parts["products"] == 0.5
    assert parts["gathering"] == pytest.approx(1000 * 784 * 4 / 1e9)
    # read for the products, read and written by each of ten steps
    assert parts["parameters"] == pytest.approx(10 * 3 * 4 * 23_860 / 1e9)


def test_the_seconds_are_the_median_without_the_first() -> None:
    calls: list[int] = []
    assert taken(3, lambda: calls.append(1)) >= 0
    assert len(calls) == 4
