"""Samples that stay on disk: the rows of a file, read a stretch at a time into memory of ours."""

from __future__ import annotations

import functools
import math
import mmap
import warnings
from abc import ABC, abstractmethod
from pathlib import Path

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor

from sevensteps.errors import DataError

STRETCH = (
    1 << 20
)  # bytes read in one go: a disk gives these at its full rate; Linux maps files in lots of up to 2 MB


class Rows(ABC):
    """The raw inputs of all samples of a file, in its order.

    `shape` is `[N, F]` of a table or `[N, C, H, W]` of pictures, `dtype` that of the tensors that
    `read` fills."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def each(self) -> int:
        """Bytes of one sample, as `read` gives it."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    @property
    def stretch(self) -> int:
        """How many rows are best read together."""
        return max(1, min(STRETCH // max(self.each, 1), len(self)))

    @property
    def edges(self) -> NDArray[numpy.int64]:
        """Where stretches begin, in rows, and the end of the last."""
        return numpy.append(numpy.arange(0, len(self), self.stretch), len(self))

    @abstractmethod
    def read(self, start: int, stop: int, out: Tensor) -> None:
        """Fill `out` [stop - start, ...] with the rows from `start` up to `stop`. Raises
        `DataError` where the file has changed.

        Called from a thread beside the one that trains: nothing in it may be computed by PyTorch,
        whose threads would get in the way."""

    @property
    def mapped(self) -> Tensor | None:
        """All rows as one tensor whose numbers the system brings in where they are asked for; None
        where they must be read.

        It must not be written to. Raises `DataError` where the file has changed.
        """
        return None

    def expect(self, start: int, stop: int) -> None:
        """These rows of `mapped` will be asked for soon."""

    def forget(self) -> None:
        """No row of `mapped` is needed for now: what has been brought in is memory of this process
        until it is said so.
        """


class Without(Rows):
    """The rows of a table without one of their columns, which is to be predicted."""

    def __init__(self, rows: Rows, column: int) -> None:
        self.rows, self.column, self.dtype = rows, column, rows.dtype
        self.shape = (rows.shape[0], rows.shape[1] - 1)

    def read(self, start: int, stop: int, out: Tensor) -> None:
        whole = torch.empty(stop - start, self.rows.shape[1], dtype=self.dtype)
        self.rows.read(start, stop, whole)
        out.numpy()[:] = numpy.delete(whole.numpy(), self.column, 1)


class FileRows(Rows):
    """Rows that lie in a file as they lie in memory, from byte `offset` on: a .npy, or an IDX file of bytes.

    `last` says that the channels of pictures come last in the file.
    """

    def __init__(
        self,
        path: Path,
        offset: int,
        shape: tuple[int, ...],
        dtype: torch.dtype,
        last: bool = False,
    ) -> None:
        self.path, self.offset, self.dtype, self.last = path, offset, dtype, last
        self.stored = shape
        self.shape = (shape[0], shape[3], shape[1], shape[2]) if last else shape
        found = path.stat()
        self.was = (found.st_size, found.st_mtime_ns)

    @property
    def mapped(self) -> Tensor | None:
        self._check()
        return self._whole

    @functools.cached_property
    def _map(self) -> mmap.mmap | None:
        try:
            with self.path.open("rb") as file:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError):  # a limit on addresses, a file system that cannot
            return None

    @functools.cached_property
    def _whole(self) -> Tensor | None:
        if self._map is None:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it must not be written to
            flat = torch.from_numpy(
                numpy.frombuffer(
                    self._map,
                    numpy.uint8,
                    math.prod(self.stored) * self.dtype.itemsize,
                    self.offset,
                )
            )
        whole = flat.view(self.dtype).reshape(self.stored)
        return whole.permute(0, 3, 1, 2) if self.last else whole

    def expect(self, start: int, stop: int) -> None:
        if self._map is not None and hasattr(mmap, "MADV_WILLNEED"):
            first = (self.offset + start * self.each) // mmap.PAGESIZE * mmap.PAGESIZE
            self._map.madvise(mmap.MADV_WILLNEED, first, self.offset + stop * self.each - first)

    def forget(self) -> None:
        if self._map is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)

    def read(self, start: int, stop: int, out: Tensor) -> None:
        into = torch.empty(stop - start, *self.stored[1:], dtype=self.dtype) if self.last else out
        left = memoryview(into.numpy().reshape(-1).view(numpy.uint8))  # type: ignore[arg-type]  # an array is a buffer
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(self.offset + start * self.each)
                while left and (count := file.readinto(left)):
                    left = left[count:]
        except OSError as failure:
            raise DataError(
                f"{self.path}: cannot be read any more: {failure.strerror or failure}"
            ) from None
        self._check()
        if left:
            raise DataError(
                f"{self.path}: has changed since it was opened; train again on the file as it is "
                "now"
            )
        if self.last:
            out.numpy()[:] = into.numpy().transpose(0, 3, 1, 2)

    def _check(self) -> None:
        try:
            found = self.path.stat()
        except OSError as failure:
            raise DataError(
                f"{self.path}: cannot be read any more: {failure.strerror or failure}"
            ) from None
        if (found.st_size, found.st_mtime_ns) != self.was:
            raise DataError(
                f"{self.path}: has changed since it was opened; train again on the file as it is "
                "now"
            )
