"""Files and readers of rows with known numbers."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
import torch

from sevensteps.data.streaming.row_reader import BinaryRowReader, RowReader


class ArrayReader(RowReader):
    """Rows of an array, and what was read of them."""

    def __init__(self, array: numpy.ndarray) -> None:
        self.array = array
        self.shape, self.dtype = array.shape, torch.from_numpy(array[:0]).dtype
        self.reads: list[tuple[int, int]] = []

    def read(self, start: int, stop: int, out: torch.Tensor) -> None:
        self.reads.append((start, stop))
        out.numpy()[:] = self.array[start:stop]


def numbers(
    count: int, *shape: int, dtype: torch.dtype = torch.float32, seed: int = 0
) -> numpy.ndarray:
    integers = numpy.random.default_rng(seed).integers(0, 200, (count, *shape))
    return torch.from_numpy(integers).to(dtype).numpy()


def written(folder: Path, array: numpy.ndarray, channels_last: bool = False) -> BinaryRowReader:
    path = folder / "x.bin"
    path.write_bytes(b"head" + array.tobytes())
    return BinaryRowReader(path, 4, array.shape, torch.from_numpy(array[:0]).dtype, channels_last)


@pytest.fixture(params=["mapped", "read"])
def rows(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> BinaryRowReader:
    """A file, also where the system does not map files."""
    if request.param == "read":
        monkeypatch.setattr(BinaryRowReader, "_map", None)
    return written(tmp_path, numbers(300, 3))
