"""The matrices of mean pooling against PyTorch's own pooling; paddings against PyTorch's sizes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sevensteps.engine.pooling import (
    adaptive_average_matrix,
    average_matrix,
    channels_last,
    padding,
    pair,
)

DRAW = torch.Generator().manual_seed(0)


@pytest.mark.parametrize(
    "pool",
    [
        nn.AvgPool2d(2),
        nn.AvgPool2d(3, stride=2, padding=1),
        nn.AvgPool2d((3, 2), stride=(1, 2), padding=(1, 0), count_include_pad=False),
        nn.AvgPool2d(2, divisor_override=3),
    ],
    ids=str,
)
def test_mean_pooling_is_a_matrix_along_each_axis(pool: nn.AvgPool2d) -> None:
    x = torch.randn(6, 7, dtype=torch.float64, generator=DRAW)
    expected = pool(x[None])[0]
    down = average_matrix(pool, 0, 6, expected.shape[0])
    across = average_matrix(pool, 1, 7, expected.shape[1])
    torch.testing.assert_close(down @ x @ across.T, expected)


@pytest.mark.parametrize(("size", "count"), [(6, 3), (7, 3), (5, 5), (3, 5), (4, 1)])
def test_adaptive_pooling_is_one_too(size: int, count: int) -> None:
    x = torch.randn(1, size, dtype=torch.float64, generator=DRAW)
    torch.testing.assert_close(
        x @ adaptive_average_matrix(size, count).T, nn.AdaptiveAvgPool1d(count)(x)
    )


@pytest.mark.parametrize(
    ("words", "kernel", "dilation", "zeros"),
    [
        ("same", (3, 5), (1, 1), (1, 2)),
        ("same", (3, 3), (2, 1), (2, 1)),
        ("valid", (3, 3), (1, 1), (0, 0)),
        ("same", (2, 3), (1, 1), None),  # PyTorch pads one end more than the other
        ((2, 0), (3, 3), (1, 1), (2, 0)),
    ],
)
def test_the_words_of_a_padding_are_numbers(
    words: str, kernel: tuple[int, int], dilation: tuple[int, int], zeros: tuple[int, int] | None
) -> None:
    conv = nn.Conv2d(1, 1, kernel, padding=words, dilation=dilation, device="meta")
    assert padding(conv) == zeros


def test_channels_are_moved_last_without_changing_a_number() -> None:
    x = torch.randn(2, 3, 4, 5, generator=DRAW)
    moved = channels_last(x)
    assert torch.equal(moved, x)
    assert moved.stride(1) == 1
    assert channels_last(x[:, :1].contiguous()).stride()[1] == 1
    for other in (x.double(), x[0]):  # no such kernels
        assert channels_last(other) is other


def test_a_number_stands_for_both_axes() -> None:
    assert pair(3) == (3, 3)
    assert pair((1, 2)) == (1, 2)
