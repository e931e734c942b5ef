"""Reads IDX files, the format of MNIST.

Two zero bytes, a type, the number of dimensions, their sizes, then the numbers.

Every size is checked against the file before memory is taken for it, so a damaged or hostile file
costs nothing. Source of the format: LeCun, Cortes, Burges, The MNIST database of handwritten
digits.
"""

from __future__ import annotations

import gzip
import math
import stat
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy
import torch
from torch import Tensor

from sevensteps.errors import DataError

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_DIMENSIONS = 8  # real files have 1 to 4
# of numbers, as they lie unpacked in memory; the largest set of this kind, EMNIST, has a quarter
MAX_BYTES = 1 << 31
MAX_RATIO = 1032  # deflate cannot pack tighter than this (zlib technical details)
CHUNK = 1 << 20  # bytes; memory grows as content arrives, never by what a header announces

AGAIN = "fetch it again"


def read_images(path: Path) -> Tensor:
    """The images of an IDX file, uint8 `[N, 1, H, W]`. Raises `DataError` with the file and the
    fix.
    """
    array = read_array(path)
    if array.ndim != 3:
        raise DataError(
            f"{path}: {_describe(array)}, where images (3 dimensions) are expected; "
            "give the images file, not that of the labels"
        )
    if array.dtype != numpy.uint8:
        raise DataError(
            f"{path}: the pixels are {array.dtype.name}, where unsigned bytes are expected; "
            "convert them to 0..255"
        )
    if array.size == 0:
        raise DataError(f"{path}: {_describe(array)}: no pixel in it; {AGAIN}")
    return torch.from_numpy(array)[:, None]


def read_labels(path: Path, classes: int = 10) -> Tensor:
    """The labels of an IDX file, uint8 `[N]`, each below `classes`. Raises `DataError` with the
    file and the fix.
    """
    array = read_array(path)
    if array.ndim != 1:
        raise DataError(
            f"{path}: {_describe(array)}, where labels (1 dimension) are expected; "
            "give the labels file, not that of the images"
        )
    if array.dtype != numpy.uint8:
        raise DataError(
            f"{path}: the labels are {array.dtype.name}, where unsigned bytes are expected; "
            f"convert them to 0..{classes - 1}"
        )
    if array.size == 0:
        raise DataError(f"{path}: no label in it; {AGAIN}")
    if array.max() >= classes:
        row = int((array >= classes).argmax())
        raise DataError(
            f"{path}: the labels go outside 0..{classes - 1}: {array[row]} at place {row}; "
            f"number the {classes} classes from 0"
        )
    return torch.from_numpy(array)


def read_array(path: Path) -> numpy.ndarray:
    """The numbers of an IDX file, plain or packed with gzip. Raises `DataError` with the file and
    the fix.
    """
    try:
        status = path.stat()
        # a pipe would be waited for without end
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            raise DataError(f"{path}: is no file; give the files as MNIST publishes them")
        size = status.st_size
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if path.suffix == ".gz" and not packed:
                raise DataError(
                    f"{path}: its name ends in .gz but it is not gzip; take .gz off the name, or "
                    f"{AGAIN}"
                )
            if packed:
                with gzip.open(file) as unpacked:
                    return _parse(path, cast(BinaryIO, unpacked), size * MAX_RATIO)
            return _parse(path, file, size)
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file; check the folder and the name") from None
    except (gzip.BadGzipFile, zlib.error, EOFError) as failure:
        raise DataError(f"{path}: damaged gzip ({failure}); {AGAIN}") from None
    except (OSError, ValueError) as failure:  # also a name that no file can have
        if isinstance(failure, DataError):
            raise
        failure = failure if isinstance(failure, OSError) else OSError(0, str(failure))
        raise DataError(
            f"{path}: cannot be read ({failure.strerror or failure}); give a file that you may read"
        ) from None


def read_header(path: Path, file: BinaryIO) -> tuple[tuple[int, ...], numpy.dtype]:
    """The shape and the dtype that the start of an IDX file announces; `file` then stands where
    the numbers begin.
    """
    magic = file.read(4)
    if (
        len(magic) < 4
        or magic[:2] != b"\0\0"
        or magic[2] not in TYPES
        or not 1 <= magic[3] <= MAX_DIMENSIONS
    ):
        start = magic.hex(" ") or "nothing"
        raise DataError(
            f"{path}: is not IDX: it starts with {start}, not with 00 00 08 and 01 (labels) or 03 "
            "(images); "
            "give the files as MNIST publishes them"
        )
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"{path}: cut short inside its header; {AGAIN}")
    return struct.unpack(f">{magic[3]}I", sizes), numpy.dtype(TYPES[magic[2]])


def _parse(path: Path, file: BinaryIO, limit: int) -> numpy.ndarray:
    """The numbers in `file`, which can hold at most `limit` bytes."""
    shape, dtype = read_header(path, file)
    announced = math.prod(shape) * dtype.itemsize
    sizes = " x ".join(map(str, shape))
    if announced > limit:
        raise DataError(
            f"{path}: cut short: its header announces {sizes} numbers, more than a file of its "
            f"size can hold; {AGAIN}"
        )
    if announced > MAX_BYTES or (not announced and math.prod(filter(None, shape)) > MAX_BYTES):
        raise DataError(
            f"{path}: its header announces {sizes} numbers, more than the {MAX_BYTES >> 30} GB "
            f"that are read; {AGAIN}, "
            "or give a part of them"
        )
    content = bytearray()
    while len(content) <= announced and (
        more := file.read(min(CHUNK, announced + 1 - len(content)))
    ):
        content += more
    if len(content) < announced:
        raise DataError(
            f"{path}: cut short: its header announces {sizes} numbers, {announced} bytes, "
            f"but {len(content)} follow; {AGAIN}"
        )
    if len(content) > announced:
        raise DataError(
            f"{path}: goes on after the {sizes} numbers that its header announces; {AGAIN}"
        )
    return numpy.frombuffer(content, dtype=dtype).reshape(shape)


def _describe(array: numpy.ndarray) -> str:
    sizes = " x ".join(map(str, array.shape))
    return f"holds {sizes} numbers ({array.ndim} dimension{'s' if array.ndim > 1 else ''})"
