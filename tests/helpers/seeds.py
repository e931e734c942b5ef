"""What trainings are asserted to come to holds for five seeds; `make test` takes the first."""

from __future__ import annotations

import pytest

five_seeds = pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))]
)
