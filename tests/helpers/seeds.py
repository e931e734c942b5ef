"""What trainings are asserted to come to holds for several seeds; `make test` takes the first."""

from __future__ import annotations

import pytest


def first_seeds(count: int) -> pytest.MarkDecorator:
    """A parameter `seed`, from 0 up to the `count`; all but the first are slow."""
    others = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, count)]
    return pytest.mark.parametrize("seed", [0, *others])


three_seeds, five_seeds = first_seeds(3), first_seeds(5)
