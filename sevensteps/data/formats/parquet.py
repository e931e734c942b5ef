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

from sevensteps.data.dataset import Data
from sevensteps.data.formats.library_errors import short_reason
from sevensteps.data.sources import Source
from sevensteps.data.streaming.memory_limit import bytes_allowed, fits_in_memory
from sevensteps.data.streaming.row_reader import RowReader
from sevensteps.data.streaming.streamed_inputs import stream_rows
from sevensteps.data.table import arrow_columns
from sevensteps.data.table.column_encoding import Encoding
from sevensteps.data.table.options import TableOptions, check_options
from sevensteps.data.table.table import Block, Table, select_rows
from sevensteps.data.table.table_to_data import encode_table, inspect_table, table_data
from sevensteps.errors import DataError, no_such_file
from sevensteps.notation import value

__all__ = ["parquet"]

MAX_ROW_GROUP = 2 << 30  # bytes of one row group, unpacked; it is read in one go
FLOAT64 = 2  # tables are loaded in float64, which takes twice as much as what `fits` counts with
# float32 numbers that a row takes on top, wherever its inputs are: its target, its place in the
# split
NUMBERS_PER_ROW = 6
PANDAS_INDEX = re.compile(r"__index_level_\d+__")  # the numbers of the rows, which tell nothing


@value
class parquet(Source, TableOptions):
    """a table of your own in Parquet, one column to predict

    As `csv`, but that the file says what its columns are: whole numbers, fractions and decimals are
    numbers, booleans 1 and 0, dates and times days, of texts each value becomes an input. Null and
    NaN are missing. What does not fit in `memory` (megabytes; default: three quarters of what is
    free) stays on disk, a row group at a time. Needs pyarrow: pip install "sevensteps[parquet]".
    Source: Apache Parquet.
    """

    path: str
    _: KW_ONLY
    memory: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)

    def load(self, data_dir: Path | None = None) -> Data:
        table, limit = self.table(), bytes_allowed(self.memory)
        rows = sum(table.group_sizes)
        if not fits_in_memory((NUMBERS_PER_ROW * rows,), bytes_allowed(None)):
            raise DataError(
                f"{self.path}: has {rows:,} rows, whose targets alone do not fit "
                "into memory; give fewer"
            )
        contents = inspect_table(table, self)
        encoding = contents.encoding
        if fits_in_memory((FLOAT64 * len(contents.y), len(encoding.features)), limit):
            return table_data(table, self, contents, encode_table(table, contents))
        reader = ParquetRowReader(table.path, encoding, contents.used_rows)
        return table_data(table, self, contents, stream_rows(reader, limit))

    def table(self) -> ParquetTable:
        """The file as a table."""
        return ParquetTable(Path(self.path))


class ParquetTable(Table):
    """A Parquet file. Raises `DataError` where it is none, or a row group is too large."""

    def __init__(self, path: Path) -> None:
        self.where, self.title, self.path = str(path), path.name, path
        arrow_columns.require_pyarrow(self.where)
        if not path.is_file():
            raise no_such_file(path, "give a .parquet")
        self.file = self._open()
        self.types = dict(
            zip(self.file.schema_arrow.names, self.file.schema_arrow.types, strict=True)
        )
        self.names = [
            name for name in self.file.schema_arrow.names if not PANDAS_INDEX.fullmatch(name)
        ]
        for name in self.names:
            if not name.strip():
                raise DataError(
                    f"{path}: column {self.names.index(name) + 1} has no name; give it one"
                )
            if self.names.count(name) > 1:
                raise DataError(
                    f"{path}: two columns are called {name}; give each a name of its own"
                )
        self.unusable = arrow_columns.unusable_columns(
            {name: self.types[name] for name in self.names}
        )
        metadata = self.file.metadata
        # in rows
        self.group_sizes: list[int] = [
            metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)
        ]
        if not sum(self.group_sizes):
            raise DataError(f"{path}: has no row; give at least two")
        if min(self.group_sizes) < 0:
            raise DataError(f"{path}: is damaged: a row group has {min(self.group_sizes)} rows")

    def _open(self) -> Any:
        import pyarrow.parquet as pq

        try:
            schema = pq.read_schema(self.path)
            texts = [
                name
                for name, type in zip(schema.names, schema.types, strict=True)
                if arrow_columns.kind_of_type(type) == "category"
            ]
            # a text that is repeated a million times is then held once
            return pq.ParquetFile(self.path, read_dictionary=texts)
        # the footer is a program of its own, and lets out whatever error the bytes lead to
        except Exception as failure:
            raise DataError(
                f"{self.path}: cannot be read as a Parquet file: {short_reason(failure)}"
            ) from None

    def blocks(self, names: Sequence[str]) -> Iterator[Block]:
        start = 0
        for group, count in enumerate(self.group_sizes):
            if count:
                yield self.block(group, names, start)
            start += count

    def block(self, group: int, names: Sequence[str], start: int, threads: bool = True) -> Block:
        """One row group, which begins at row `start`; its columns by several threads, unless a
        training needs them.
        """
        for name in names:
            arrow_columns.refuse_type(name, self.types[name], self.where)
        try:
            self._check_size(group, names)
            arrow_table = self.file.read_row_group(group, list(names), use_threads=threads)
            columns = {
                name: arrow_columns.to_cells(name, arrow_table.column(name), self.where, start)
                for name in names
            }
        except DataError:
            raise
        except Exception as failure:  # damaged pages
            raise DataError(
                f"{self.where}: row group {group} cannot be read: {short_reason(failure)}"
            ) from None
        if any(len(cells) != self.group_sizes[group] for cells in columns.values()):
            raise DataError(
                f"{self.where}: row group {group} has other rows than the file says; it is "
                "damaged, or has changed"
            )
        return columns

    def _check_size(self, group: int, names: Sequence[str]) -> None:
        """Refuse a row group that unpacks to too much, as the file says itself, before it is
        unpacked.
        """
        metadata = self.file.metadata.row_group(group)
        unpacked, as_numbers = metadata.total_byte_size, 8 * metadata.num_rows * len(names)
        # of the columns that are read, it may be less; asking for each lets damaged files do more
        # harm
        if unpacked + as_numbers > MAX_ROW_GROUP:
            columns = [metadata.column(index) for index in range(metadata.num_columns)]
            unpacked = sum(
                column.total_uncompressed_size
                for column in columns
                if column.path_in_schema in names
            )
        size = max(unpacked, 0) + as_numbers
        if size > MAX_ROW_GROUP:
            raise DataError(
                f"{self.where}: row group {group} of {metadata.num_rows:,} rows unpacks to "
                f"{size / 2**30:,.1f} GB; at most "
                f"{MAX_ROW_GROUP >> 30} are read; write the file with smaller row groups "
                "(row_group_size=100_000)"
            )


class ParquetRowReader(RowReader):
    """Reads the raw inputs of a Parquet file, of all its rows or the `used_rows`.

    The row group read last stays in memory.
    """

    def __init__(
        self,
        path: Path,
        encoding: Encoding,
        used_rows: NDArray[numpy.bool_] | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        self.table, self.encoding, self.dtype = ParquetTable(path), encoding, dtype
        self.used_rows = used_rows
        encoding.check(self.table.names, self.table.where)
        if used_rows is not None and len(used_rows) != sum(self.table.group_sizes):
            raise DataError(
                f"{path}: has {sum(self.table.group_sizes):,} rows where {len(used_rows):,} were "
                "seen before; it has changed"
            )
        # of the row groups, in rows of the file
        self.starts = numpy.cumsum([0, *self.table.group_sizes])
        counts = (
            self.starts
            if used_rows is None
            else numpy.concatenate([[0], numpy.cumsum(used_rows)])[self.starts]
        )
        self.ends = counts[1:]  # of the row groups, in rows that are used
        self.shape = int(counts[-1]), len(encoding.features)
        widest = max(self.table.group_sizes) * self.shape[1] * dtype.itemsize
        if widest > MAX_ROW_GROUP:
            raise DataError(
                f"{path}: a row group becomes {widest / 2**30:,.1f} GB of inputs; at most "
                f"{MAX_ROW_GROUP >> 30} are held; write "
                "the file with smaller row groups (row_group_size=100_000)"
            )
        self.last_group: tuple[int, NDArray[Any]] | None = None  # its number, its inputs
        self.opened_as = self._file_state()
        self.lock = threading.Lock()  # a window may be read ahead while somebody looks at a sample

    @property
    def rows_per_read(self) -> int:
        """The rows of a row group, on average."""
        return max(1, len(self) // max(1, sum(count > 0 for count in self.table.group_sizes)))

    @property
    def read_boundaries(self) -> NDArray[numpy.int64]:
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
                    out.numpy()[begin - start : until - start] = self._read_group(group)[
                        begin - first : until - first
                    ]

    def _file_state(self) -> tuple[int, int]:
        try:
            status = self.table.path.stat()
        except OSError as failure:
            raise DataError(
                f"{self.table.where}: cannot be read any more: {failure.strerror or failure}"
            ) from None
        return status.st_size, status.st_mtime_ns

    def _read_group(self, group: int) -> NDArray[Any]:
        """The inputs of one row group, of the rows that are used."""
        if self.last_group is None or self.last_group[0] != group:
            self.last_group = None  # before the next is read
            if self._file_state() != self.opened_as:
                raise DataError(
                    f"{self.table.where}: has changed since it was opened; train again on the "
                    "file as it is now"
                )
            start, end = int(self.starts[group]), int(self.starts[group + 1])
            block = self.table.block(group, self.encoding.names, start, threads=False)
            if self.used_rows is not None:
                block = select_rows(block, self.used_rows[start:end])
            dtype = torch.empty(0, dtype=self.dtype).numpy().dtype
            self.last_group = group, self.encoding.encode(block, dtype)
        return self.last_group[1]
