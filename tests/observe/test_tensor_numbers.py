"""Norms and copied entries of many tensors at once are those of each by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from sevensteps.observe.tensor_numbers import (
    LARGE,
    SAMPLED,
    entries_of,
    norms_of,
    sample_entries,
    sample_size,
)


def tensors() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    draw = [torch.randn(shape, generator=generator) for shape in ((3,), (40, 50), (), (0,))]
    images = torch.randn(8, 4, 5, 6, generator=generator).to(memory_format=torch.channels_last)
    return [*draw, images, torch.randn(30, 20, generator=generator).T]


def test_norms() -> None:
    sparse = torch.sparse_coo_tensor([[1, 1, 3]], [1.0, 2.0, 4.0], (5,), check_invariants=True)
    half = torch.full((4,), 200.0, dtype=torch.float16)  # its square is no number of 16 bits
    wanted = [float(t.norm()) for t in tensors()]
    assert norms_of(tensors()) == pytest.approx(wanted)
    assert norms_of([sparse, half]) == [5, 400]
    assert norms_of([]) == []


def test_the_norm_of_a_very_large_tensor_is_estimated() -> None:
    large = torch.linspace(-1, 1, 2 * LARGE)
    assert norms_of([large]) == pytest.approx([float(large.norm())], rel=1e-3)


def test_entries_are_copied_from_all_over_a_tensor() -> None:
    every = tensors()
    copied = sample_entries(every)
    parts = np.split(copied, np.cumsum([sample_size(t.numel()) for t in every])[:-1])
    for tensor, part in zip(every, parts, strict=True):
        assert len(part) == sample_size(tensor.numel()) <= SAMPLED
        assert np.array_equal(part, entries_of(tensor).numpy())
        if tensor.numel() <= SAMPLED:
            assert np.array_equal(part, tensor.reshape(-1).numpy())
        else:
            assert len(part) > SAMPLED / 2
            assert set(part) <= set(tensor.reshape(-1).tolist())
    rows = torch.arange(64.0)[:, None].expand(64, 64).contiguous()
    columns = rows.T.contiguous()
    # every row and every column of a matrix has its share
    assert len(set(entries_of(rows).tolist())) > 50
    assert len(set(entries_of(columns).tolist())) > 50


def test_half_precision_is_copied_exactly_and_double_stays_double() -> None:
    half = torch.tensor([1.0, 1.0078125], dtype=torch.bfloat16)
    assert sample_entries([half, torch.ones(1)]).tolist() == [1, 1.0078125, 1]
    double = torch.tensor([1 + 2.0**-50], dtype=torch.float64)
    assert sample_entries([double, half]).tolist() == [1 + 2.0**-50, 1, 1.0078125]
    before = sample_entries([half])
    half.zero_()
    assert before.tolist() == [1, 1.0078125]
