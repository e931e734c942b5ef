"""Arrays of your own in .npy files; what does not fit into memory is read as it is used.

The header of a file is checked against its size; no pickle is ever read.
"""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import KW_ONLY
from pathlib import Path
from typing import Any, BinaryIO

import numpy
import torch
from numpy.lib import format as npy_format
from torch import Tensor

from sevensteps.arguments import one_of
from sevensteps.data.dataset import Data
from sevensteps.data.formats.arrays import from_arrays
from sevensteps.data.formats.library_errors import short_reason
from sevensteps.data.sources import Source
from sevensteps.data.streaming.memory_limit import bytes_allowed
from sevensteps.data.streaming.row_reader import BinaryRowReader, RowReader, WithoutColumn
from sevensteps.data.streaming.streamed_inputs import load_or_stream
from sevensteps.data.table.targets import MAX_WHOLE_CLASSES
from sevensteps.errors import DataError, no_such_file
from sevensteps.notation import value

__all__ = ["npy"]

# what is taken as it lies in the file
TORCH_DTYPES = {
    "|b1": torch.bool,
    "|u1": torch.uint8,
    "|i1": torch.int8,
    "<i2": torch.int16,
    "<i4": torch.int32,
    "<i8": torch.int64,
    "<f2": torch.float16,
    "<f4": torch.float32,
    "<f8": torch.float64,
}


@value
class npy(Source):
    """arrays of your own in .npy files, as numpy.save writes them

    `target` is the file with the targets, or the number of a column of the table (-1: the last).
    What they may be says `from_arrays`; pictures may have their channels last. Split 80/20, each
    class alike. More than fits in `memory` (megabytes; default: three quarters of what is free)
    stays on disk: read in stretches, shuffled in windows. Scale: pixels / 255, columns
    standardised. Source: numpy.save.
    """

    path: str
    _: KW_ONLY
    target: str | int | None = None
    valid: float = 0.2
    scale: str = "default"
    target_scale: str = "none"
    memory: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("target_scale", self.target_scale, ("none", "standardize"))
        if isinstance(self.target, str) and re.fullmatch(r"-?\d{1,6}", self.target):
            vars(self).update(target=int(self.target))
        elif not isinstance(self.target, int | None):
            vars(self).update(target=str(self.target))

    def load(self, data_dir: Path | None = None) -> Data:
        path = Path(self.path)
        if self.target is None:
            raise DataError(
                f"{path}: say where the targets are: the file that has them, as in --target "
                "y.npy, or the number of their column, as in --target -1"
            )
        reader: RowReader = npy_reader(path)
        y: Any
        if isinstance(self.target, int):
            if (
                len(reader.shape) != 2
                or not -reader.shape[1] <= self.target < reader.shape[1]
                or reader.shape[1] < 2
            ):
                raise DataError(
                    f"{path}: has shape {list(reader.shape)}, so there is no column {self.target} "
                    "to predict from others"
                )
            column = self.target % reader.shape[1]
            y = _read_column(reader, column).double()
            if bool((y == y.floor()).all()) and len(torch.unique(y)) <= MAX_WHOLE_CLASSES:
                y = y.long()
            reader = WithoutColumn(reader, column)
        else:
            y = load_npy(Path(self.target), bytes_allowed(self.memory))
        x = load_or_stream(reader, self.memory)
        return from_arrays(
            x,
            y,
            valid=self.valid,
            scale=self.scale_or("unit" if x.ndim > 2 else "standardize"),
            target_scale=self.target_scale,
            seed=self.seed,
            name=self.text,
        )


def npy_reader(path: Path) -> BinaryRowReader:
    """Reads the rows of a .npy: `[N]` and `[N, F]` are tables, `[N, H, W]` and `[N, C, H, W]`
    pictures. Raises `DataError`.
    """
    shape, dtype, column_major, offset = _read_header(path)
    if dtype.str not in TORCH_DTYPES:
        raise DataError(
            f"{path}: holds {dtype.name if dtype.kind in 'biufc' else dtype}, which cannot be "
            "trained on as it is; save it as float32 or uint8"
        )
    if column_major and len(shape) > 1 and min(shape) > 1:
        raise DataError(
            f"{path}: is stored column by column; save it with numpy.save(path, "
            "numpy.ascontiguousarray(x))"
        )
    if len(shape) not in (1, 2, 3, 4) or 0 in shape:
        raise DataError(
            f"{path}: has shape {list(shape)}; give [samples, columns] for a table, [samples, 1 "
            "or 3, height, width] for pictures"
        )
    sample_shape = {3: (1, *shape[1:]), 1: (1,)}.get(len(shape), shape[1:])
    channels_last = len(shape) == 4 and shape[3] in (1, 3) and shape[1] not in (1, 3)
    if len(shape) == 4 and not channels_last and shape[1] not in (1, 3):
        raise DataError(
            f"{path}: has shape {list(shape)}; pictures have 1 or 3 channels: [samples, 1 or 3, "
            "height, width]"
        )
    return BinaryRowReader(
        path, offset, (shape[0], *sample_shape), TORCH_DTYPES[dtype.str], channels_last
    )


def load_npy(path: Path, limit: int) -> numpy.ndarray:
    """All that a .npy holds, which may be texts; at most `limit` bytes. Raises `DataError`."""
    shape, dtype, _, _ = _read_header(path)
    size = math.prod(shape) * dtype.itemsize
    if size > limit:
        raise DataError(
            f"{path}: holds {size / 1e6:,.0f} MB of targets, more than the {limit / 1e6:,.0f} MB "
            "allowed; allow more memory, or give fewer samples"
        )
    try:
        array: numpy.ndarray = numpy.load(path, allow_pickle=False)
    except Exception as failure:  # numpy lets out whatever error a damaged file leads to
        raise DataError(f"{path}: cannot be read as a .npy: {short_reason(failure)}") from None
    return array


def _read_header(path: Path) -> tuple[tuple[int, ...], numpy.dtype, bool, int]:
    """Shape, dtype, whether the numbers are stored column by column, and the byte where they
    begin. Raises `DataError`.
    """
    if not path.is_file():
        raise no_such_file(path, "give a .npy that numpy.save wrote")
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            shape, column_major, dtype = _parse_header(file)
            offset, size = file.tell(), path.stat().st_size
    # the header is read as Python, and lets out whatever error that leads to
    except Exception as failure:
        raise DataError(f"{path}: cannot be read as a .npy: {short_reason(failure)}") from None
    if dtype.hasobject:
        raise DataError(
            f"{path}: holds Python objects, which could run code; save numbers or texts"
        )
    if min(shape, default=0) < 0 or size < offset + math.prod(shape) * dtype.itemsize:
        raise DataError(
            f"{path}: is cut short: its header announces {' x '.join(map(str, shape))} numbers, "
            "more than the file holds; fetch it again"
        )
    return shape, dtype, column_major, offset


def _parse_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, numpy.dtype]:
    version = npy_format.read_magic(file)
    parsers = {
        (1, 0): npy_format.read_array_header_1_0,
        (2, 0): npy_format.read_array_header_2_0,
    }
    if version not in parsers:
        raise ValueError(f"format {version[0]}.{version[1]} is unknown")
    header: tuple[tuple[int, ...], bool, numpy.dtype] = parsers[version](file)
    return header


def _read_column(reader: RowReader, column: int) -> Tensor:
    """One column of a table, as it is in the file."""
    numbers = torch.empty(len(reader), dtype=reader.dtype)
    for start in range(0, len(reader), reader.rows_per_read):
        stop = min(start + reader.rows_per_read, len(reader))
        rows = torch.empty(stop - start, *reader.shape[1:], dtype=reader.dtype)
        reader.read(start, stop, rows)
        numbers[start:stop] = rows[:, column]
    return numbers
