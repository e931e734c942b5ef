"""Random numbers of the tests that watch."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def own_random_numbers() -> Iterator[None]:
    """Layers draw their first weights from the global generator; the tests put it back."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
