"""Inputs larger than memory: they answer like a tensor, and are trained on in windows.

An epoch goes over the file in spans of rows, in random order; as many as fit form a window, whose
samples are shuffled among each other. While one window is trained on, the next is read.
"""

from __future__ import annotations

import functools
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, overload

import numpy
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sevensteps.data.scaling import Scaling, identity_scaling
from sevensteps.data.statistics import RunningStatistics
from sevensteps.data.streaming.memory_limit import bytes_allowed, fits_in_memory, page_faults
from sevensteps.data.streaming.row_reader import RowReader
from sevensteps.data.streaming.shuffle_windows import Window, group_spans, read_ahead

T = TypeVar("T")
# rows that lie in a window of a mapped file take this part of the memory allowed, and the pages
# around them as much again
MAPPED_SHARE = 4
# a window that is read takes this part: one is trained on while the next is read; and so do samples
# as they come out
BUFFER_SHARE = 8
NUMBERS_PER_PIECE = 1 << 18  # looked at together where all of them are looked at
NUMBERS_PER_GATHER = 1 << 19  # gathered at once
MAX_GAP = 64 * 1024  # bytes between two wanted rows that are read and thrown away, not skipped
MAX_CHUNK = 1024  # samples looked at together
# up to this many standard deviations from zero, float32 takes the mean off to 1e-5 of one
MAX_OFFSET = 100.0
CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class StreamedInputs:
    """Network inputs that are read from a file as they are used.

    They are those of the file's rows that stand in `indices`, ascending. `scaling` is applied to
    what is read; samples take at most `memory` bytes. `dtype` and `device` are those of what comes
    out. What has the name of a tensor's method does what that does.
    """

    reader: RowReader
    indices: Int[Tensor, "N"]
    memory: int
    scaling: Scaling
    dtype: torch.dtype = torch.float32
    device: torch.device = CPU
    # of the raw rows, once somebody has asked: one, or none
    computed_statistics: list[RunningStatistics] = field(default_factory=list)
    # of windows, not in use: fresh memory would cost more than reading into it
    buffers: list[Tensor] = field(default_factory=list)

    @property
    def shape(self) -> torch.Size:
        """[N, F] or [N, C, H, W]."""
        return torch.Size((len(self.indices), *self.reader.shape[1:]))

    @property
    def ndim(self) -> int:
        """2 for a table, 4 for pictures."""
        return len(self.reader.shape)

    def __len__(self) -> int:
        return len(self.indices)

    def numel(self) -> int:
        """How many numbers there are."""
        return self.shape.numel()

    def is_floating_point(self) -> bool:
        """True, as network inputs are fractions."""
        return True

    def to(self, *targets: Any) -> StreamedInputs:
        """These inputs, but coming out as another dtype, on another device, or both."""
        dtype = next((t for t in targets if isinstance(t, torch.dtype)), self.dtype)
        device = next((t for t in targets if isinstance(t, str | torch.device)), self.device)
        return replace(self, dtype=dtype, device=torch.device(device))

    def with_scaling(self, scaling: Scaling) -> StreamedInputs:
        """These rows with another scaling."""
        return replace(self, scaling=scaling)

    def select(self, indices: Int[Tensor, "M"]) -> StreamedInputs:
        """Some of these samples, in the order of the file; nothing is read yet."""
        return replace(
            self, indices=self.indices[indices.sort().values], computed_statistics=[], buffers=[]
        )

    @property
    def statistics(self) -> RunningStatistics:
        """Of the raw rows, before the scaling: a pass over the file, made once."""
        if not self.computed_statistics:
            numbers = max(self.reader.row_size, 1)
            # raw, and three times as float64
            size = max(
                1, min(NUMBERS_PER_PIECE // numbers, self.memory // BUFFER_SHARE // (32 * numbers))
            )
            raw = _with_progress(self._raw_batches(size), len(self), size, self.reader.row_bytes)
            self.computed_statistics.append(RunningStatistics(raw))
        return self.computed_statistics[0]

    @property
    def rows_per_window(self) -> int:
        """How many rows of the file a window may reach over."""
        share = MAPPED_SHARE if self.reader.mapped is not None else BUFFER_SHARE
        return max(1, self.memory // share // max(self.reader.row_bytes, 1))

    @property
    def chunk_size(self) -> int:
        """How many samples to look at together, where that is a side matter; with the rows of the
        file between them they fit into a window.
        """
        in_share = self.memory // BUFFER_SHARE
        fitting = in_share // max(4 * self.reader.row_size, self.reader.row_bytes, 1)
        return max(1, min(MAX_CHUNK, fitting, self._samples_per_window))

    @property
    def _samples_per_window(self) -> int:
        """Fewer than rows where others lie between ours, which are read too."""
        return self.rows_per_window * len(self) // len(self.reader)

    # -- reading -----------------------------------------------------------------------------------

    @overload
    def __getitem__(self, which: int) -> Tensor: ...
    @overload
    def __getitem__(self, which: slice | Tensor) -> Float[Tensor, "B ..."]: ...
    def __getitem__(self, which: int | slice | Tensor) -> Tensor:
        """Samples as the network takes them, read now."""
        if isinstance(which, int):
            return self._to_inputs(self._read_rows(self.indices[which].reshape(1)))[0]
        if isinstance(which, slice):
            return self._to_inputs(self._read_rows(self.indices[which]))
        rows = self.indices[which.cpu()]
        if rows.numel() < 2 or bool((rows[1:] > rows[:-1]).all()):
            return self._to_inputs(self._read_rows(rows))
        distinct, position = torch.unique(rows, return_inverse=True)
        return self._to_inputs(self._read_rows(distinct)[position])

    def narrow(self, dim: int, start: int, length: int) -> StreamedInputs:
        """The samples from `start` on, `length` of them; `dim` is 0. Nothing is read yet."""
        assert dim == 0
        return self.select(torch.arange(start, start + length))

    def split(self, size: int) -> Iterator[Float[Tensor, "B ..."]]:
        """All samples in their order, `size` at a time, or fewer where memory is short."""
        return self.batches(min(size, self.chunk_size))

    def batches(self, size: int, skip: int = 0) -> Iterator[Float[Tensor, "B ..."]]:
        """All samples from `skip` on in their order, `size` at a time."""
        for raw in self._raw_batches(size, skip):
            yield self._to_inputs(raw)

    def _empty(self, count: int) -> Tensor:
        return torch.empty(count, *self.reader.shape[1:], dtype=self.reader.dtype)

    def _read_rows(self, rows: Int[Tensor, "B"]) -> Tensor:
        """These rows of the file, ascending, as they are in it."""
        reach = int(rows[-1] - rows[0]) + 1 if len(rows) else 0
        mapped = self.reader.mapped
        if mapped is None or reach > 2 * self.rows_per_window:  # each brings in its neighbours
            return self._read_into(self._empty(len(rows)), rows)
        raw = mapped.index_select(0, rows)
        self.reader.release()
        return raw

    def _read_into(self, buffer: Tensor, rows: Int[Tensor, "B"]) -> Tensor:
        """Fill `buffer` with these rows, ascending; those near each other are read together."""
        row_numbers, most = rows.numpy(), self.reader.rows_per_read
        max_step = MAX_GAP // max(self.reader.row_bytes, 1) + 1
        gaps = numpy.flatnonzero(numpy.diff(row_numbers) > max_step) + 1
        for first, end in itertools.pairwise([0, *gaps.tolist(), len(row_numbers)]):
            for begin in range(first, end, most):
                until = min(begin + most, end)
                start, stop = int(row_numbers[begin]), int(row_numbers[until - 1]) + 1
                if stop - start == until - begin:
                    self.reader.read(start, stop, buffer[begin:until])
                    continue
                with_gaps = self._empty(stop - start)
                self.reader.read(start, stop, with_gaps)
                numpy.take(
                    with_gaps.numpy(),
                    row_numbers[begin:until] - start,
                    0,
                    out=buffer[begin:until].numpy(),
                )
        return buffer

    def _raw_batches(self, size: int, skip: int = 0) -> Iterator[Tensor]:
        batches = [self.indices[start : start + size] for start in range(skip, len(self), size)]
        # memory that a thread takes for itself is not given to others: it is taken here
        if self.reader.mapped is None:
            yield from read_ahead(
                functools.partial(self._read_into, self._empty(len(rows)), rows) for rows in batches
            )
            return
        waited, faults = False, page_faults()
        for rows, following in itertools.zip_longest(batches, batches[1:]):
            if following is not None and waited:
                self.reader.prefetch(int(following[0]), int(following[-1]) + 1)
            yield self._read_rows(rows)
            waited = waited or page_faults() > faults

    @functools.cached_property
    def _linear_scaling(self) -> tuple[Tensor, Tensor] | None:
        """(a, b) for x = a + b raw in float32, where that is as good: a table in float64 takes
        longer than its training.
        """
        offset, scale = self.scaling.offset, self.scaling.scale
        if self.reader.dtype == torch.float64 or bool((offset.abs() > MAX_OFFSET * scale).any()):
            return None
        return (-offset / scale).float(), (1 / scale).float()

    def _to_inputs(self, raw: Tensor) -> Tensor:
        """Raw rows of ours, which may be written over, scaled, as they come out."""
        if self.scaling.name == "none":
            x = raw.to(torch.float32)
        elif self._linear_scaling is None:
            x = self.scaling(raw)
        elif self.scaling.name == "unit":
            # exactly as in memory: pixels are the same numbers wherever they come from
            x = raw.to(torch.float32).div_(self.scaling.scale.float())
        else:
            x = raw.to(torch.float32)
            torch.addcmul(self._linear_scaling[0], x, self._linear_scaling[1], out=x)
        return x.to(self.device, self.dtype)

    # -- an epoch ----------------------------------------------------------------------------------

    def shuffled(
        self, size: int, count: int, order: torch.Generator, skip: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The first `count` samples of a random order, in batches of `size`, each with the indices
        of its samples; without the first `skip` batches.

        What is drawn from `order` does not depend on `skip`, nor on how the file is read.
        """
        batches_per_gather = max(1, NUMBERS_PER_GATHER // (size * max(self.reader.row_size, 1)))
        samples_per_gather = batches_per_gather * size
        windows = self._windows(size, count, order, skip)
        for raw, window, rows in (
            self._read_windows(windows)
            if self.reader.mapped is None
            else self._mapped_windows(windows)
        ):
            skipped = window.skip
            for gathered, samples in itertools.islice(
                zip(
                    rows.split(samples_per_gather),
                    window.samples.split(samples_per_gather),
                    strict=True,
                ),
                skipped // batches_per_gather,
                None,
            ):
                x = self._to_inputs(raw.index_select(0, gathered))
                batches = zip(x.split(size), samples.split(size), strict=True)
                yield from itertools.islice(batches, skipped % batches_per_gather, None)
                skipped = 0

    def _windows(
        self, size: int, count: int, order: torch.Generator, skip: int
    ) -> Iterator[Window]:
        """The windows of an epoch, without those that are skipped whole."""
        boundaries = numpy.unique(
            numpy.searchsorted(self.indices.numpy(), self.reader.read_boundaries)
        ).tolist()
        spans = [
            (boundaries[at], boundaries[at + 1])
            for at in torch.randperm(len(boundaries) - 1, generator=order).tolist()
        ]
        whole_batches = max(1, self._samples_per_window // size) * size
        for group in group_spans(spans, whole_batches, count):
            permutation = torch.randperm(sum(end - first for first, end in group), generator=order)
            batches = -(-len(permutation) // size)
            if skip < batches:
                yield Window(group, permutation, skip, self.indices)
            skip = max(0, skip - batches)

    def _mapped_windows(self, windows: Iterable[Window]) -> Iterator[tuple[Tensor, Window, Tensor]]:
        """The windows of a mapped file, each with the rows of its samples. Once one had to wait
        for the disk, the system is told in time which rows come next.
        """
        previous: Window | None = None
        waited, faults = False, page_faults()
        for window in itertools.chain(windows, [None]):
            for start, stop in window.reads if window is not None and waited else ():
                self.reader.prefetch(start, stop)
            if previous is not None and (mapped := self.reader.mapped) is not None:
                yield mapped, previous, self.indices[previous.samples]
                self.reader.release()
                waited = waited or page_faults() > faults
            previous = window

    def _read_windows(self, windows: Iterable[Window]) -> Iterator[tuple[Tensor, Window, Tensor]]:
        """The windows of a file that must be read, each into a buffer of ours while the one before
        it is trained on; with the rows of its samples in the buffer.
        """
        buffers = [self.buffers.pop() if self.buffers else self._empty(0) for _ in range(2)]

        def fill(buffer: Tensor, window: Window) -> tuple[Tensor, Window, Tensor]:
            for (start, stop), offset in zip(window.reads, window.offsets, strict=True):
                self.reader.read(start, stop, buffer[offset : offset + stop - start])
            return buffer, window, window.buffer_rows

        def fills() -> Iterator[Callable[[], tuple[Tensor, Window, Tensor]]]:
            for number, window in enumerate(windows):
                turn = number % 2
                if len(buffers[turn]) < window.length:
                    buffers[turn] = self._empty(0)  # given back before the larger one is taken
                    buffers[turn] = self._empty(window.length)
                yield functools.partial(fill, buffers[turn], window)

        try:
            yield from read_ahead(fills())
        finally:
            self.buffers.extend(buffers)


def _with_progress(batches: Iterable[T], total: int, size: int, row_bytes: int) -> Iterable[T]:
    """`batches`, on a terminal with a bar where there is a gigabyte of them."""
    if total * row_bytes < 1 << 30 or not sys.stderr.isatty():
        return batches
    from rich.console import Console
    from rich.progress import track

    return track(
        batches,
        f"reading {total * row_bytes / 2**30:.1f} GB once",
        -(-total // size),
        console=Console(stderr=True),
        transient=True,
    )


def stream_rows(reader: RowReader, memory: int) -> StreamedInputs:
    """All rows of a file, unscaled, in at most `memory` bytes."""
    return StreamedInputs(reader, torch.arange(len(reader)), memory, identity_scaling())


def load_or_stream(reader: RowReader, memory: float | None) -> Tensor | StreamedInputs:
    """All rows of a file: in memory where they fit into `memory` megabytes, else read as they are
    used. Without a number, three quarters of what is free may be taken.
    """
    limit = bytes_allowed(memory)
    if not fits_in_memory(reader.shape, limit):
        return stream_rows(reader, limit)
    rows = torch.empty(reader.shape, dtype=reader.dtype)
    reader.read(0, len(reader), rows)
    return rows
