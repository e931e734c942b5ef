"""Noise beside what it was added to."""

from __future__ import annotations

import pytest
import torch

from sevensteps.doctor.subtracted_noise import subtracted_noise

DRAWN = torch.Generator().manual_seed(0)


@pytest.mark.parametrize("shape", [(12,), (2, 4, 4)])
def test_noise_is_a_difference_of_two_inputs(shape: tuple[int, ...]) -> None:
    clean, noise = torch.randn(2, 100, *shape, generator=DRAWN)
    clean = clean + 0.5
    left = torch.rand(100, *(1 for _ in shape), generator=DRAWN) * 0.8 + 0.1
    noisy = left * clean + (1 - left.square()).sqrt() * noise
    step = left.expand(100, 1, *shape[1:])
    assert subtracted_noise([noisy, left, clean], noise) is not None
    assert subtracted_noise([torch.cat([noisy, step, clean], 1)], noise) is not None
    assert subtracted_noise([torch.cat([noisy, step, 0 * clean], 1)], noise) is None
    guess = clean + 0.1 * torch.randn(clean.shape, generator=DRAWN)
    assert subtracted_noise([noisy, left, guess], noise) is None
    assert subtracted_noise([torch.cat([noisy, step], 1)], noise) is None


def test_a_law_of_two_inputs_is_no_leak() -> None:
    place, speed = torch.randn(2, 100, 12, generator=DRAWN)
    assert subtracted_noise([place, speed], -0.8 * place - 0.6 * speed) is None
    assert subtracted_noise([place, speed], 3 * place) is None
