"""Axes of their own are told from rows and columns that numbers were cut into anew."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sevensteps.doctor.questions.own_axes import compare, product_of_axes

pytestmark = pytest.mark.draws
SEEDS = range(3)


def bands(seed: int) -> Tensor:
    """[N, T 20, F 12]: features that are mixtures of the same four sources, which last a while."""
    draw = torch.Generator().manual_seed(seed)
    sources = torch.randn(400, 23, 4, generator=draw).unfold(1, 4, 1).mean(-1)
    noise = 0.3 * torch.randn(400, 20, 12, generator=draw)
    return sources @ torch.randn(4, 12, generator=draw) + noise


@pytest.mark.parametrize("seed", SEEDS)
def test_axes_that_were_moved_and_axes_that_were_not(seed: int) -> None:
    x = bands(seed)
    right = compare("", x, False)
    moved = compare("", x.transpose(1, 2).contiguous(), True)
    viewed = compare("", x.reshape(400, 12, 20), True)
    assert right is not None
    assert moved is not None
    assert viewed is not None
    for answer in (right, moved):
        assert answer.as_read > 0.9 > 0.8 > answer.other
    assert viewed.other > 0.9 > 0.8 > viewed.as_read
    assert viewed.order == "time, channels"


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_few_samples_and_long_ones_say_nothing(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    assert product_of_axes(torch.randn(400, 60, generator=draw), 5) == 0.0
    assert product_of_axes(bands(seed)[:50].flatten(1), 20) == 0.0
    assert product_of_axes(bands(seed).flatten(1).repeat(1, 5), 20) == 0.0


@pytest.mark.parametrize("seed", SEEDS)
def test_one_course_of_all_numbers_is_a_product_in_any_cut(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(400, 1, 1, generator=draw) + torch.randn(400, 6, 10, generator=draw)
    answer = compare("", x, False)
    assert answer is not None
    assert min(answer.as_read, answer.other) > 0.9


def test_places_that_are_one_hot() -> None:
    words = F.one_hot(torch.randint(4, (64, 30)), 4).float()
    right = compare("", words.transpose(1, 2), True)
    viewed = compare("", words.reshape(64, 4, 30), True)
    assert right is not None
    assert right.one_hot_as_read == 1
    assert viewed is not None
    assert viewed.one_hot_other == 1
    assert viewed.one_hot_as_read < 0.6
