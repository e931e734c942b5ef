"""Reads rows of a file, some at a time, into memory of ours: raw inputs that stay on disk."""

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

# bytes read in one go: a disk gives these at its full rate; Linux maps files in lots of up to 2 MB
READ_SIZE = 1 << 20


class RowReader(ABC):
    """The raw inputs of all samples of a file, in its order.

    `shape` is `[N, F]` of a table or `[N, C, H, W]` of pictures, `dtype` that of the tensors that
    `read` fills.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def row_size(self) -> int:
        """Numbers of one sample."""
        return math.prod(self.shape[1:])

    @property
    def row_bytes(self) -> int:
        """Bytes of one sample, as `read` gives it."""
        return self.row_size * self.dtype.itemsize

    @property
    def rows_per_read(self) -> int:
        """How many rows are best read together."""
        return max(1, min(READ_SIZE // max(self.row_bytes, 1), len(self)))

    @property
    def read_boundaries(self) -> NDArray[numpy.int64]:
        """The rows at which an epoch may jump to another place in the file, with 0 and the last."""
        return numpy.append(numpy.arange(0, len(self), self.rows_per_read), len(self))

    @abstractmethod
    def read(self, start: int, stop: int, out: Tensor) -> None:
        """Fill `out` [stop - start, ...] with the rows from `start` up to `stop`. Raises
        `DataError` where the file has changed.

        Called from a thread beside the one that trains: nothing in it may be computed by PyTorch,
        whose threads would get in the way.
        """

    @property
    def mapped(self) -> Tensor | None:
        """All rows as one memory-mapped tensor, of which the system reads what is used; None where
        rows must be read.

        It must not be written to. Raises `DataError` where the file has changed.
        """
        return None

    def prefetch(self, start: int, stop: int) -> None:  # noqa: B027 - only mapped rows need it
        """Let the system read these rows of `mapped` now, as they are used soon."""

    def release(self) -> None:  # noqa: B027
        """Give back the memory that the pages of `mapped` take in this process."""


class WithoutColumn(RowReader):
    """The rows of a table without one of their columns, which is to be predicted."""

    def __init__(self, table: RowReader, column: int) -> None:
        self.table, self.column, self.dtype = table, column, table.dtype
        self.shape = (table.shape[0], table.shape[1] - 1)

    def read(self, start: int, stop: int, out: Tensor) -> None:
        rows = torch.empty(stop - start, self.table.shape[1], dtype=self.dtype)
        self.table.read(start, stop, rows)
        out.numpy()[:] = numpy.delete(rows.numpy(), self.column, 1)


class BinaryRowReader(RowReader):
    """Reads rows that lie in a file as they lie in memory: a .npy, or an IDX file of bytes.

    They begin at byte `offset`. `channels_last` says that the channels of pictures come last in the
    file.
    """

    def __init__(
        self,
        path: Path,
        offset: int,
        shape: tuple[int, ...],
        dtype: torch.dtype,
        channels_last: bool = False,
    ) -> None:
        self.path, self.offset, self.dtype = path, offset, dtype
        self.channels_last = channels_last
        self.stored_shape = shape
        self.shape = (shape[0], shape[3], shape[1], shape[2]) if channels_last else shape
        status = path.stat()
        self.opened_as = (status.st_size, status.st_mtime_ns)

    @property
    def mapped(self) -> Tensor | None:
        self._check_unchanged()
        return self._mapped_rows

    @functools.cached_property
    def _map(self) -> mmap.mmap | None:
        try:
            with self.path.open("rb") as file:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError):  # a limit on addresses, a file system that cannot
            return None

    @functools.cached_property
    def _mapped_rows(self) -> Tensor | None:
        if self._map is None:
            return None
        size = math.prod(self.stored_shape) * self.dtype.itemsize
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it must not be written to
            flat = torch.from_numpy(numpy.frombuffer(self._map, numpy.uint8, size, self.offset))
        rows = flat.view(self.dtype).reshape(self.stored_shape)
        return rows.permute(0, 3, 1, 2) if self.channels_last else rows

    def prefetch(self, start: int, stop: int) -> None:
        if self._map is not None and hasattr(mmap, "MADV_WILLNEED"):
            first = (self.offset + start * self.row_bytes) // mmap.PAGESIZE * mmap.PAGESIZE
            length = self.offset + stop * self.row_bytes - first
            self._map.madvise(mmap.MADV_WILLNEED, first, length)

    def release(self) -> None:
        if self._map is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)

    def read(self, start: int, stop: int, out: Tensor) -> None:
        buffer = (
            torch.empty(stop - start, *self.stored_shape[1:], dtype=self.dtype)
            if self.channels_last
            else out
        )
        unread = memoryview(buffer.numpy().reshape(-1).view(numpy.uint8))  # type: ignore[arg-type]  # an array is a buffer
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(self.offset + start * self.row_bytes)
                while unread and (count := file.readinto(unread)):
                    unread = unread[count:]
        except OSError as failure:
            raise DataError(
                f"{self.path}: cannot be read any more: {failure.strerror or failure}"
            ) from None
        self._check_unchanged()
        if unread:
            raise self._changed()
        if self.channels_last:
            out.numpy()[:] = buffer.numpy().transpose(0, 3, 1, 2)

    def _check_unchanged(self) -> None:
        try:
            status = self.path.stat()
        except OSError as failure:
            raise DataError(
                f"{self.path}: cannot be read any more: {failure.strerror or failure}"
            ) from None
        if (status.st_size, status.st_mtime_ns) != self.opened_as:
            raise self._changed()

    def _changed(self) -> DataError:
        return DataError(
            f"{self.path}: has changed since it was opened; train again on the file as it is now"
        )
