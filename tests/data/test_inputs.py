"""Inputs in memory and inputs on disk: the same calls give the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
import torch

from sevensteps.data.formats.npy import npy_reader
from sevensteps.data.inputs import (
    Inputs,
    apply_scaling,
    chunk_size,
    chunks,
    fit_input_scaling,
    select_samples,
    spread_samples,
)
from sevensteps.data.streaming.streamed_inputs import StreamedInputs, stream_rows

COUNT = 400


@pytest.fixture
def in_memory() -> torch.Tensor:
    return torch.rand(COUNT, 5, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=["memory", "disk"])
def x(request: pytest.FixtureRequest, in_memory: torch.Tensor, tmp_path: Path) -> Inputs:
    if request.param == "memory":
        return in_memory
    numpy.save(tmp_path / "x.npy", in_memory.numpy())
    return stream_rows(npy_reader(tmp_path / "x.npy"), 8_000)


def test_methods_of_a_tensor_give_what_those_of_a_tensor_give(
    x: Inputs, in_memory: torch.Tensor
) -> None:
    assert (x.shape, x.ndim, len(x), x.numel()) == (in_memory.shape, 2, COUNT, COUNT * 5)
    assert torch.equal(torch.cat(list(x.split(64))), in_memory)
    assert max(map(len, x.split(64))) == chunk_size(x, 64)
    assert torch.equal(x.narrow(0, 30, 100)[:], in_memory[30:130])
    assert torch.equal(x.to(torch.float64)[7:9], in_memory[7:9].double())


def test_chunks_come_with_what_belongs_to_them(x: Inputs, in_memory: torch.Tensor) -> None:
    pairs = list(chunks(x, torch.arange(COUNT)))
    assert len(pairs) == 1 if isinstance(x, torch.Tensor) else len(pairs) > 1
    assert torch.equal(torch.cat([rows for rows, _ in pairs]), in_memory)
    assert torch.equal(torch.cat([places for _, places in pairs]), torch.arange(COUNT))


def test_selected_samples_stay_with_their_targets(x: Inputs, in_memory: torch.Tensor) -> None:
    chosen, y = select_samples(x, torch.arange(COUNT), torch.tensor([300, 2, 17]))
    assert y.tolist() == ([2, 17, 300] if isinstance(x, StreamedInputs) else [300, 2, 17])
    assert torch.equal(chosen[:], in_memory[y])


def test_spread_samples_are_all_or_evenly_spread(x: Inputs, in_memory: torch.Tensor) -> None:
    spread, y = spread_samples(x, torch.arange(COUNT))
    assert torch.equal(spread, in_memory[y])
    assert (y[0], y[-1]) == (0, COUNT - 1)
    assert len(y) == chunk_size(x, COUNT)
    assert int(y.diff().max()) - int(y.diff().min()) <= 1


@pytest.mark.parametrize("name", ["none", "unit", "standardize"])
def test_scaling_is_learned_and_applied_alike(
    x: Inputs, in_memory: torch.Tensor, name: str
) -> None:
    expected = fit_input_scaling(name, in_memory)(in_memory)
    torch.testing.assert_close(
        apply_scaling(fit_input_scaling(name, x), x)[:], expected, atol=1e-5, rtol=0
    )
