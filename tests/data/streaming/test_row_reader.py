"""Rows read from a file are those that it holds."""

from __future__ import annotations

import os
from pathlib import Path

import numpy
import pytest
import torch

from sevensteps.data.streaming.row_reader import WithoutColumn
from sevensteps.data.streaming.streamed_inputs import stream_rows
from sevensteps.errors import DataError
from tests.data.streaming.conftest import ArrayReader, numbers, written

KINDS = [torch.uint8, torch.int16, torch.float32, torch.float64]


@pytest.mark.parametrize("dtype", KINDS, ids=str)
@pytest.mark.parametrize("shape", [(3,), (1, 4, 5), (3, 2, 2)])
def test_what_is_read_is_what_the_file_holds(
    tmp_path: Path, dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    array = numbers(500, *shape, dtype=dtype)
    x, in_memory = stream_rows(written(tmp_path, array), 5_000), torch.from_numpy(array).float()
    assert (x.shape, x.ndim, len(x), x.numel()) == (
        in_memory.shape,
        in_memory.ndim,
        500,
        in_memory.numel(),
    )
    assert torch.equal(x[3:400], in_memory[3:400])
    assert torch.equal(x[::7], in_memory[::7])
    assert torch.equal(x[41], in_memory[41])
    some = torch.tensor([499, 0, 3, 3, 17])
    assert torch.equal(x[some], in_memory[some])
    assert torch.equal(torch.cat(list(x.batches(64))), in_memory)
    assert torch.equal(torch.cat(list(x.batches(64, skip=10))), in_memory[10:])


def test_pictures_with_their_channels_last_are_turned(tmp_path: Path) -> None:
    array = numbers(20, 4, 5, 3, dtype=torch.uint8)
    x = stream_rows(written(tmp_path, array, channels_last=True), 5_000)
    assert x.shape == (20, 3, 4, 5)
    assert torch.equal(x[2:9], torch.from_numpy(array[2:9]).permute(0, 3, 1, 2).float())


def test_a_column_can_be_left_out() -> None:
    array = numbers(30, 4)
    x = stream_rows(WithoutColumn(ArrayReader(array), 1), 5_000)
    assert torch.equal(x[:], torch.from_numpy(numpy.delete(array, 1, 1)))


def test_a_file_that_changes_is_noticed(tmp_path: Path) -> None:
    rows = written(tmp_path, numbers(100, 3))
    x = stream_rows(rows, 5_000)
    os.utime(rows.path, ns=(1, 1))
    with pytest.raises(
        DataError,
        match=r"x\.bin: has changed since it was opened; train again on the file as it is now$",
    ):
        x[:5]
    rows.path.unlink()
    with pytest.raises(
        DataError, match=r"x\.bin: cannot be read any more: No such file or directory$"
    ):
        x[:5]
