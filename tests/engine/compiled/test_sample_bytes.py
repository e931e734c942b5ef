"""Numbers that are bytes: read as such only where that gives exactly them."""

from __future__ import annotations

import pytest
import torch

from sevensteps.engine.compiled import as_bytes


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pictures_are_bytes(dtype: torch.dtype) -> None:
    pixels = torch.arange(256, dtype=torch.uint8).repeat(3).view(2, 1, 24, 16)
    numbers = as_bytes(pixels.to(dtype) / 255)
    assert numbers is not None
    assert torch.equal(numbers, pixels)


@pytest.mark.parametrize("other", [0.5, -1 / 255, 256 / 255, float("nan"), float("inf")])
def test_other_numbers_are_not(other: float) -> None:
    assert as_bytes(torch.tensor([[0.0, 1.0], [other, 1.0]])) is None
