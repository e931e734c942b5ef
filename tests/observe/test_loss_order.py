"""In which order a loss reads a network's output, told from PyTorch's graph alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sevensteps.observe.loss_order import order_of

B, T, V = 4, 6, 3
WORDS = torch.randint(V, (B, T))
PIXELS = torch.randint(V, (B, 8, 8))


def words(*shape: int) -> Tensor:
    """What a linear layer answers to words of 5 numbers. [*shape, V]"""
    return nn.Linear(5, V)(torch.randn(*shape, 5))


def pixels() -> Tensor:
    """[B, V, 8, 8]"""
    return nn.Conv2d(1, V, 3, padding=1)(torch.randn(B, 1, 8, 8))


def loss_of(output: Tensor, target: Tensor) -> dict[str, Any]:
    return order_of("cross_entropy", output, target)


@pytest.mark.parametrize(
    ("output", "target"),
    [
        (words(B, T).view(-1, V), WORDS.view(-1)),
        (words(B, T).permute(0, 2, 1), WORDS),
        (words(B, T).mT.log_softmax(1), WORDS),
        (words(B, T).transpose(0, 1).reshape(-1, V), WORDS.t().contiguous().view(-1)),
        (words(B * T).view(B, T, V).transpose(1, 2), WORDS),
        (words(B, T)[:, -1], WORDS[:, -1]),
        (nn.Linear(5, T * V)(torch.randn(B, 5)).view(B, V, T), WORDS),  # either may come first
        (nn.Linear(5, T)(torch.randn(B, V, 5)), WORDS),  # units are places, rows are classes
        (torch.stack([words(B) for _ in range(T)], 1).view(-1, V), WORDS.view(-1)),
        (pixels(), PIXELS),
        (pixels().permute(0, 2, 3, 1).reshape(-1, V), PIXELS.reshape(-1)),
        (pixels().flatten(2), PIXELS.flatten(1)),
        (nn.Conv1d(3, 1, 1)(torch.randn(B, 3, 10)).squeeze(1), WORDS[:, 0]),  # choices among places
        (words(B, 7).squeeze().sum(2), WORDS[:, 0]),
    ],
)
def test_what_is_right_is_not_remarked_on(output: Tensor, target: Tensor) -> None:
    assert loss_of(output, target) == {}


@pytest.mark.parametrize(
    ("output", "target"),
    [
        (words(B, T).view(B, V, T), WORDS),
        (words(B * T).view(B, V, T), WORDS),
        (torch.stack([words(B) for _ in range(T)], 1).view(B, V, T), WORDS),
        (pixels().view(-1, V), PIXELS.view(-1)),
        (pixels().log_softmax(1).reshape(-1, V), PIXELS.view(-1)),
    ],
)
def test_a_view_moves_no_axis(output: Tensor, target: Tensor) -> None:
    assert "order.classes" in loss_of(output, target)


@pytest.mark.parametrize(
    ("output", "target"),
    [
        (words(B, T).transpose(0, 1).reshape(-1, V), WORDS.view(-1)),
        (words(T, B).view(-1, V), WORDS.view(-1)),
        (torch.stack([words(B) for _ in range(T)]).view(-1, V), WORDS.reshape(-1)),
    ],
)
def test_time_first_beside_samples_first(output: Tensor, target: Tensor) -> None:
    assert loss_of(output, target) == {"order.rows": [[T, B, V], [B, T]]}


def test_numbers_are_paired_as_classes_are() -> None:
    series, answer = torch.randn(100, T)[8 : 8 + B], nn.Linear(5, 1)
    times, samples = torch.randn(T, B, 5), torch.randn(B, T, 5)
    assert "order.rows" in order_of("mse_loss", answer(times).view(-1), series.view(-1))
    assert order_of("mse_loss", answer(samples).view(-1), series.view(-1)) == {}
    assert order_of("mse_loss", answer(samples)[..., 0], series) == {}


def test_as_many_samples_as_times_cannot_be_told() -> None:
    assert (
        loss_of(words(T, T).transpose(0, 1).reshape(-1, V), torch.ones(T, T).long().view(-1)) == {}
    )
