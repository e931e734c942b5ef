"""Where the numbers lie in a .npy or an IDX file: headers are read and checked against the file's
size, the numbers stay where they are.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy
import torch
from numpy.lib import format as npy_format

from sevensteps.data.formats import idx
from sevensteps.data.formats.picture_file import why
from sevensteps.data.streaming.rows import FileRows
from sevensteps.errors import DataError

TORCH = {
    "|b1": torch.bool,
    "|u1": torch.uint8,
    "|i1": torch.int8,
    "<i2": torch.int16,
    "<i4": torch.int32,
    "<i8": torch.int64,
    "<f2": torch.float16,
    "<f4": torch.float32,
    "<f8": torch.float64,
}  # what is taken as it lies in the file


def npy_rows(path: Path) -> FileRows:
    """The rows of a .npy: `[N]` and `[N, F]` are tables, `[N, H, W]` and `[N, C, H, W]` pictures.
    Raises `DataError`.
    """
    shape, kind, across, offset = _npy(path)
    if kind.str not in TORCH:
        raise DataError(
            f"{path}: holds {kind.name if kind.kind in 'biufc' else kind}, which cannot be "
            "trained on as it is; save it as "
            "float32 or uint8"
        )
    if across and len(shape) > 1 and min(shape) > 1:
        raise DataError(
            f"{path}: is stored column by column; save it with numpy.save(path, "
            "numpy.ascontiguousarray(x))"
        )
    if len(shape) not in (1, 2, 3, 4) or 0 in shape:
        raise DataError(
            f"{path}: has shape {list(shape)}; give [samples, columns] for a table, [samples, 1 "
            "or 3, height, width] for "
            "pictures"
        )
    channels = {3: (1, *shape[1:]), 1: (1,)}.get(len(shape), shape[1:])
    last = len(shape) == 4 and shape[3] in (1, 3) and shape[1] not in (1, 3)
    if len(shape) == 4 and not last and shape[1] not in (1, 3):
        raise DataError(
            f"{path}: has shape {list(shape)}; pictures have 1 or 3 channels: [samples, 1 or 3, "
            "height, width]"
        )
    return FileRows(path, offset, (shape[0], *channels), TORCH[kind.str], last)


def idx_rows(path: Path) -> FileRows:
    """The images of an IDX file that is not packed. Raises `DataError`."""
    try:
        with path.open("rb") as file:
            shape, kind = idx.header(path, file)
            offset, size = file.tell(), path.stat().st_size
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file; check the folder and the name") from None
    except OSError as failure:
        raise DataError(
            f"{path}: cannot be read ({failure.strerror or failure}); give a file that you may read"
        ) from None
    if len(shape) != 3 or kind != numpy.uint8 or 0 in shape or size != offset + math.prod(shape):
        idx.images(path)  # says what is wrong
        raise DataError(f"{path}: is no file of images")
    return FileRows(path, offset, (shape[0], 1, *shape[1:]), torch.uint8)


def array(path: Path, limit: int) -> numpy.ndarray:
    """All that a .npy holds, which may be texts; at most `limit` bytes. Raises `DataError`."""
    shape, kind, _, _ = _npy(path)
    if math.prod(shape) * kind.itemsize > limit:
        raise DataError(
            f"{path}: holds {math.prod(shape) * kind.itemsize / 1e6:,.0f} MB of targets, more "
            f"than the {limit / 1e6:,.0f} MB "
            "allowed; allow more memory, or give fewer samples"
        )
    try:
        found: numpy.ndarray = numpy.load(path, allow_pickle=False)
    except Exception as failure:  # numpy lets out whatever error a damaged file leads to
        raise DataError(f"{path}: cannot be read as a .npy: {why(failure)}") from None
    return found


def _npy(path: Path) -> tuple[tuple[int, ...], numpy.dtype, bool, int]:
    """Shape, kind of numbers, whether they are stored column by column, and where they begin."""
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; give a .npy that numpy.save wrote")
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            shape, across, kind = _header(file)
            offset, size = file.tell(), path.stat().st_size
    except (
        Exception
    ) as failure:  # the header is read as Python, and lets out whatever error that leads to
        raise DataError(f"{path}: cannot be read as a .npy: {why(failure)}") from None
    if kind.hasobject:
        raise DataError(
            f"{path}: holds Python objects, which could run code; save numbers or texts"
        )
    if min(shape, default=0) < 0 or size < offset + math.prod(shape) * kind.itemsize:
        raise DataError(
            f"{path}: is cut short: its header announces {' x '.join(map(str, shape))} numbers, "
            "more than the file holds; "
            "fetch it again"
        )
    return shape, kind, across, offset


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, numpy.dtype]:
    version = npy_format.read_magic(file)
    read = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}.get(
        version
    )
    if read is None:
        raise ValueError(f"format {version[0]}.{version[1]} is unknown")
    found: tuple[tuple[int, ...], bool, numpy.dtype] = read(file)
    return found
