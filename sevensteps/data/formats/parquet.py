"""Tables of your own in Parquet files, read a row group at a time."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from pathlib import Path
from typing import Any

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor

from sevensteps.arguments import number
from sevensteps.data.dataset import Data
from sevensteps.data.formats.picture_file import why
from sevensteps.data.sources import Source
from sevensteps.data.streaming.memory import allowed, fits
from sevensteps.data.streaming.rows import Rows
from sevensteps.data.streaming.streamed import stream
from sevensteps.data.table import arrow
from sevensteps.data.table.columns import Encoding
from sevensteps.data.table.frame import Block, Frame, check, data_of, encoded, learn
from sevensteps.errors import DataError
from sevensteps.notation import value

__all__ = ["parquet"]

MAX_GROUP = 2 << 30  # bytes of one row group, unpacked; it is read in one go
DOUBLE = 2  # tables are loaded in float64, which takes twice as much as what `fits` counts with
# float32 numbers that a row takes on top, wherever its inputs are: its target, its place in the
# split
EACH = 6
INDEX = re.compile(
    r"__index_level_\d+__"
)  # what pandas calls the numbers of the rows, which tell nothing


@value
class parquet(Source):
    """a table of your own in Parquet, one column to predict

    As `csv`, but that the file says what its columns are: whole numbers, fractions and decimals are
    numbers, booleans 1 and 0, dates and times days, of texts each value becomes an input. Null and
    NaN are missing. What does not fit in `memory` (megabytes; default: three quarters of what is
    free) stays on disk, a row group at a time. Needs pyarrow: pip install "sevensteps[parquet]".
    Source: Apache Parquet."""

    path: str
    _: KW_ONLY
    target: str | None = None
    drop: tuple[str, ...] = ()
    missing: str = "refuse"
    valid: float = 0.2
    scale: str = "default"
    target_scale: str = "default"
    memory: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        vars(self).update(path=str(self.path))
        check(self)
        if self.memory is not None:
            number("memory", self.memory, above=0)

    def load(self, data_dir: Path | None = None) -> Data:
        frame, limit = Parquet(Path(self.path)), allowed(self.memory)
        if not fits((EACH * sum(frame.groups),), allowed(None)):
            raise DataError(
                f"{self.path}: has {sum(frame.groups):,} rows, whose targets alone do not fit "
                "into memory; give fewer"
            )
        found = learn(frame, self)
        if fits((DOUBLE * len(found.y), len(found.encoding.features)), limit):
            return data_of(frame, self, found, encoded(frame, found))
        return data_of(
            frame, self, found, stream(ParquetRows(frame.path, found.encoding, found.kept), limit)
        )


class Parquet(Frame):
    """A Parquet file. Raises `DataError` where it is none, or has a row group that would not fit into memory."""

    def __init__(self, path: Path) -> None:
        self.where, self.title, self.path = str(path), path.name, path
        arrow.needed(self.where)
        if not path.is_file():
            raise DataError(f"{path}: there is no such file; give a .parquet")
        self.file = self._opened()
        self.types = dict(
            zip(self.file.schema_arrow.names, self.file.schema_arrow.types, strict=True)
        )
        self.names = [name for name in self.file.schema_arrow.names if not INDEX.fullmatch(name)]
        for name in self.names:
            if not name.strip():
                raise DataError(
                    f"{path}: column {self.names.index(name) + 1} has no name; give it one"
                )
            if self.names.count(name) > 1:
                raise DataError(
                    f"{path}: two columns are called {name}; give each a name of its own"
                )
        groups = self.file.metadata
        self.groups: list[int] = [
            groups.row_group(index).num_rows for index in range(groups.num_row_groups)
        ]
        if not sum(self.groups):
            raise DataError(f"{path}: has no row; give at least two")
        if min(self.groups) < 0:
            raise DataError(f"{path}: is damaged: a row group has {min(self.groups)} rows")

    def _opened(self) -> Any:
        import pyarrow.parquet as pq

        try:
            schema = pq.read_schema(self.path)
            texts = [
                name
                for name, type in zip(schema.names, schema.types, strict=True)
                if arrow.kind_of(type) == "category"
            ]
            return pq.ParquetFile(
                self.path, read_dictionary=texts
            )  # a text that is repeated a million times is then held once
        except Exception as failure:  # the footer is a program of its own, and lets out whatever error the bytes lead to
            raise DataError(
                f"{self.path}: cannot be read as a Parquet file: {why(failure)}"
            ) from None

    def blocks(self, names: Sequence[str]) -> Iterator[Block]:
        start = 0
        for group, count in enumerate(self.groups):
            if count:
                yield self.block(group, names, start)
            start += count

    def block(self, group: int, names: Sequence[str], start: int, threads: bool = True) -> Block:
        """One row group, which begins at row `start`; its columns by several threads, unless a
        training needs them.
        """
        for name in names:
            arrow.refuse(name, self.types[name], self.where)
        try:
            self._check(group, names)
            table = self.file.read_row_group(group, columns=list(names), use_threads=threads)
            held = {
                name: arrow.cells(name, table.column(name), self.where, start) for name in names
            }
        except DataError:
            raise
        except Exception as failure:  # damaged pages
            raise DataError(
                f"{self.where}: row group {group} cannot be read: {why(failure)}"
            ) from None
        if any(len(cells) != self.groups[group] for cells in held.values()):
            raise DataError(
                f"{self.where}: row group {group} has other rows than the file says; it is "
                "damaged, or has changed"
            )
        return held

    def _check(self, group: int, names: Sequence[str]) -> None:
        """Refuse a row group that unpacks to too much, as the file says itself, before it is
        unpacked.
        """
        found = self.file.metadata.row_group(group)
        unpacked, needed = found.total_byte_size, 8 * found.num_rows * len(names)
        if (
            unpacked + needed > MAX_GROUP
        ):  # of the columns that are read, it may be less; asking for each lets damaged files do more harm
            columns = [found.column(index) for index in range(found.num_columns)]
            unpacked = sum(
                column.total_uncompressed_size
                for column in columns
                if column.path_in_schema in names
            )
        size = max(unpacked, 0) + needed
        if size > MAX_GROUP:
            raise DataError(
                f"{self.where}: row group {group} of {found.num_rows:,} rows unpacks to "
                f"{size / 2**30:,.1f} GB; at most "
                f"{MAX_GROUP >> 30} are read; write the file with smaller row groups "
                "(row_group_size=100_000)"
            )


class ParquetRows(Rows):
    """The raw inputs of a Parquet file, all its rows or those that are `kept`; the row group read last is held."""

    def __init__(
        self,
        path: Path,
        encoding: Encoding,
        kept: NDArray[numpy.bool_] | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        self.frame, self.encoding, self.kept, self.dtype = Parquet(path), encoding, kept, dtype
        encoding.check(self.frame.names, self.frame.where)
        if kept is not None and len(kept) != sum(self.frame.groups):
            raise DataError(
                f"{path}: has {sum(self.frame.groups):,} rows where {len(kept):,} were seen "
                "before; it has changed"
            )
        self.starts = numpy.cumsum(
            [0, *self.frame.groups]
        )  # of the row groups, in rows of the file
        counts = (
            self.starts
            if kept is None
            else numpy.concatenate([[0], numpy.cumsum(kept)])[self.starts]
        )
        self.ends = counts[1:]  # of the row groups, in rows that are kept
        self.shape = int(counts[-1]), len(encoding.features)
        widest = max(self.frame.groups) * self.shape[1] * dtype.itemsize
        if widest > MAX_GROUP:
            raise DataError(
                f"{path}: a row group becomes {widest / 2**30:,.1f} GB of inputs; at most "
                f"{MAX_GROUP >> 30} are held; write "
                "the file with smaller row groups (row_group_size=100_000)"
            )
        self.held: tuple[int, NDArray[Any]] | None = None
        self.was = self._state()
        self.lock = threading.Lock()  # a window may be read ahead while somebody looks at a sample

    @property
    def stretch(self) -> int:
        """The rows of a row group, on average."""
        return max(1, len(self) // max(1, sum(count > 0 for count in self.frame.groups)))

    @property
    def edges(self) -> NDArray[numpy.int64]:
        """The row groups, so that an epoch decodes each once."""
        return numpy.unique(numpy.append(0, self.ends))

    def read(self, start: int, stop: int, out: Tensor) -> None:
        with self.lock:
            for group in range(
                int(numpy.searchsorted(self.ends, start, side="right")), len(self.ends)
            ):
                first, end = int(self.ends[group - 1]) if group else 0, int(self.ends[group])
                if first >= stop:
                    return
                begin, until = max(start, first), min(stop, end)
                if begin < until:
                    out.numpy()[begin - start : until - start] = self._group(group)[
                        begin - first : until - first
                    ]

    def _state(self) -> tuple[int, int]:
        try:
            found = self.frame.path.stat()
        except OSError as failure:
            raise DataError(
                f"{self.frame.where}: cannot be read any more: {failure.strerror or failure}"
            ) from None
        return found.st_size, found.st_mtime_ns

    def _group(self, group: int) -> NDArray[Any]:
        """The inputs of one row group, of the rows that are kept."""
        if self.held is None or self.held[0] != group:
            self.held = None  # before the next is read
            if self._state() != self.was:
                raise DataError(
                    f"{self.frame.where}: has changed since it was opened; train again on the "
                    "file as it is now"
                )
            start, end = int(self.starts[group]), int(self.starts[group + 1])
            block = self.frame.block(group, self.encoding.names, start, threads=False)
            if self.kept is not None:
                rows = numpy.flatnonzero(self.kept[start:end])
                block = {name: cells.take(rows) for name, cells in block.items()}
            self.held = (
                group,
                self.encoding.encode(block, torch.empty(0, dtype=self.dtype).numpy().dtype),
            )
        return self.held[1]
