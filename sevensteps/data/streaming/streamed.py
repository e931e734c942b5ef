"""Inputs larger than memory: they look like a tensor where little is asked, and are trained on in
windows.

An epoch goes over the file in stretches, in random order; as many as fit form a window, whose
samples are shuffled among each other. While one window is trained on, the next is read."""

from __future__ import annotations

import functools
import itertools
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, overload

import numpy
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sevensteps.data.scaling import Scaling, identity
from sevensteps.data.statistics import Tally
from sevensteps.data.streaming.memory import waits
from sevensteps.data.streaming.rows import Rows
from sevensteps.data.streaming.windows import Window, ahead, grouped

T = TypeVar("T")
# rows that lie in a window of a mapped file take this part of the memory allowed, and the pages
# around them as much again
MAPPED = 4
# a window that is read takes this part: one is trained on while the next is read; and so do samples
# as they come out
HELD = 8
PIECE = 1 << 18  # numbers looked at together where all of them are looked at
TOGETHER = 1 << 19  # numbers gathered at once
NEAR = 64 * 1024  # bytes between two wanted rows that are read and thrown away rather than skipped
MANY = 1024  # samples looked at together
# up to this many standard deviations from zero, float32 takes the mean off to 1e-5 of one
EXACT = 100.0
CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Streamed:
    """Some rows of a file as network inputs: `chosen` are their places, ascending.

    `scaling` is applied to what is read; at most `memory` bytes of samples are held. `dtype` and
    `device` are those of what comes out."""

    rows: Rows
    chosen: Int[Tensor, "N"]
    memory: int
    scaling: Scaling
    dtype: torch.dtype = torch.float32
    device: torch.device = CPU
    counted: list[Tally] = field(
        default_factory=list
    )  # of the raw rows chosen, once somebody has asked
    buffers: list[Tensor] = field(
        default_factory=list
    )  # of windows, not in use: fresh memory would cost more than reading into it

    @property
    def shape(self) -> torch.Size:
        """[N, F] or [N, C, H, W]."""
        return torch.Size((len(self.chosen), *self.rows.shape[1:]))

    @property
    def ndim(self) -> int:
        """2 for a table, 4 for pictures."""
        return len(self.rows.shape)

    def __len__(self) -> int:
        return len(self.chosen)

    def numel(self) -> int:
        """How many numbers there are."""
        return self.shape.numel()

    def is_floating_point(self) -> bool:
        """As network inputs are."""
        return True

    def to(self, *where: Any) -> Streamed:
        """The same, coming out as another dtype or on another device."""
        dtype = next((held for held in where if isinstance(held, torch.dtype)), self.dtype)
        device = next((held for held in where if isinstance(held, str | torch.device)), self.device)
        return replace(self, dtype=dtype, device=torch.device(device))

    def scaled(self, scaling: Scaling) -> Streamed:
        """The same rows with this scaling."""
        return replace(self, scaling=scaling)

    def among(self, places: Int[Tensor, "M"]) -> Streamed:
        """Some of these samples, in the order of the file."""
        return replace(self, chosen=self.chosen[places.sort().values], counted=[], buffers=[])

    @property
    def tally(self) -> Tally:
        """Of the raw rows, before the scaling: a pass over the file, made once."""
        if not self.counted:
            numbers = max(math.prod(self.rows.shape[1:]), 1)
            size = max(
                1, min(PIECE // numbers, self.memory // HELD // (32 * numbers))
            )  # raw, and three times as float64
            self.counted.append(
                Tally(_told(self._raw_pieces(size), len(self), size, self.rows.each))
            )
        return self.counted[0]

    @property
    def span(self) -> int:
        """How many rows of the file a window may reach over."""
        return max(
            1,
            self.memory
            // (MAPPED if self.rows.mapped is not None else HELD)
            // max(self.rows.each, 1),
        )

    @property
    def some(self) -> int:
        """How many to look at together, where that is a side matter; with the rows of the file
        between them they fit into a window.
        """
        out = self.memory // HELD // max(4 * math.prod(self.rows.shape[1:]), self.rows.each, 1)
        return max(1, min(MANY, out, self.span * len(self) // len(self.rows)))

    # -- reading -----------------------------------------------------------------------------------

    @overload
    def __getitem__(self, which: int) -> Tensor: ...
    @overload
    def __getitem__(self, which: slice | Tensor) -> Float[Tensor, "B ..."]: ...
    def __getitem__(self, which: int | slice | Tensor) -> Tensor:
        """Samples as the network takes them, read now."""
        if isinstance(which, int):
            return self._out(self._raw(self.chosen[which].reshape(1)))[0]
        if isinstance(which, slice):
            return self._out(self._raw(self.chosen[which]))
        wanted = self.chosen[which.cpu()]
        if wanted.numel() < 2 or bool((wanted[1:] > wanted[:-1]).all()):
            return self._out(self._raw(wanted))
        once, place = torch.unique(wanted, return_inverse=True)
        return self._out(self._raw(once)[place])

    def _empty(self, count: int) -> Tensor:
        return torch.empty(count, *self.rows.shape[1:], dtype=self.rows.dtype)

    def _raw(self, wanted: Int[Tensor, "B"]) -> Tensor:
        """The rows `wanted`, ascending, as they are in the file."""
        around = int(wanted[-1] - wanted[0]) + 1 if len(wanted) else 0
        if (
            whole := self.rows.mapped
        ) is None or around > 2 * self.span:  # each row that is asked for brings in its neighbours
            return self._filled(self._empty(len(wanted)), wanted)
        found = whole.index_select(0, wanted)
        self.rows.forget()
        return found

    def _filled(self, held: Tensor, wanted: Int[Tensor, "B"]) -> Tensor:
        places, stretch = wanted.numpy(), self.rows.stretch
        apart = numpy.flatnonzero(numpy.diff(places) > NEAR // max(self.rows.each, 1) + 1) + 1
        bounds = [0, *apart.tolist(), len(places)]
        for first, end in itertools.pairwise(bounds):
            for begin in range(first, end, stretch):
                until = min(begin + stretch, end)
                start, stop = int(places[begin]), int(places[until - 1]) + 1
                if stop - start == until - begin:
                    self.rows.read(start, stop, held[begin:until])
                else:
                    between = self._empty(stop - start)
                    self.rows.read(start, stop, between)
                    numpy.take(
                        between.numpy(),
                        places[begin:until] - start,
                        0,
                        out=held[begin:until].numpy(),
                    )
        return held

    def _raw_pieces(self, size: int, skip: int = 0) -> Iterator[Tensor]:
        parts = [self.chosen[start : start + size] for start in range(skip, len(self), size)]
        if (
            self.rows.mapped is None
        ):  # memory that a thread takes for itself is not given to others: it is taken here
            yield from ahead(
                functools.partial(self._filled, self._empty(len(part)), part) for part in parts
            )
            return
        waited, at = False, waits()
        for part, after in itertools.zip_longest(parts, parts[1:]):
            if after is not None and waited:
                self.rows.expect(int(after[0]), int(after[-1]) + 1)
            yield self._raw(part)
            waited = waited or waits() > at

    def pieces(self, size: int, skip: int = 0) -> Iterator[Float[Tensor, "B ..."]]:
        """All samples from `skip` on in their order, `size` at a time."""
        for raw in self._raw_pieces(size, skip):
            yield self._out(raw)

    @functools.cached_property
    def _slope(self) -> tuple[Tensor, Tensor] | None:
        """(a, b) for x = a + b raw in float32, where that is as good: a table in float64 takes
        longer than its training.
        """
        offset, scale = self.scaling.offset, self.scaling.scale
        if self.rows.dtype == torch.float64 or bool((offset.abs() > EXACT * scale).any()):
            return None
        return (-offset / scale).float(), (1 / scale).float()

    def _out(self, raw: Tensor) -> Tensor:
        """Raw rows of ours, which may be written over, scaled, as they come out."""
        if self.scaling.name == "none":
            found = raw.to(torch.float32)
        elif self._slope is None:
            found = self.scaling(raw)
        elif (
            self.scaling.name == "unit"
        ):  # exactly as in memory: pixels are the same numbers wherever they come from
            found = raw.to(torch.float32).div_(self.scaling.scale.float())
        else:
            found = raw.to(torch.float32)
            torch.addcmul(self._slope[0], found, self._slope[1], out=found)
        return found.to(self.device, self.dtype)

    # -- an epoch ----------------------------------------------------------------------------------

    def shuffled(
        self, size: int, count: int, order: torch.Generator, skip: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The first `count` samples of a random order, in batches of `size`, each with its places;
        without the first `skip` batches.

        What is drawn from `order` does not depend on `skip`, nor on how the file is read.
        """
        together = max(1, TOGETHER // (size * max(math.prod(self.rows.shape[1:]), 1)))  # batches
        windows = self._windows(size, count, order, skip)
        for held, window, at in (
            self._read(windows) if self.rows.mapped is None else self._expected(windows)
        ):
            many, skipped = together * size, window.skip
            for x_at, y_at in itertools.islice(
                zip(at.split(many), window.places.split(many), strict=True),
                skipped // together,
                None,
            ):
                pairs = zip(
                    self._out(held.index_select(0, x_at)).split(size), y_at.split(size), strict=True
                )
                yield from itertools.islice(pairs, skipped % together, None)
                skipped = 0

    def _windows(
        self, size: int, count: int, order: torch.Generator, skip: int
    ) -> Iterator[Window]:
        """The windows of an epoch, without those that are skipped whole."""
        edges = numpy.unique(numpy.searchsorted(self.chosen.numpy(), self.rows.edges)).tolist()
        spans = [
            (edges[at], edges[at + 1])
            for at in torch.randperm(len(edges) - 1, generator=order).tolist()
        ]
        room = (
            max(1, self.span * len(self) // len(self.rows) // size) * size
        )  # what lies between our rows is read too
        for window in grouped(spans, room, count):
            mixed = torch.randperm(sum(end - first for first, end in window), generator=order)
            batches = -(-len(mixed) // size)
            if skip < batches:
                yield Window(window, mixed, skip, self.chosen)
            skip = max(0, skip - batches)

    def _expected(self, windows: Iterable[Window]) -> Iterator[tuple[Tensor, Window, Tensor]]:
        """The windows of a file that is mapped. Once one had to wait for the disk, the system is
        told in time which rows come next.
        """
        before: Window | None = None
        waited, at = False, waits()
        for window in itertools.chain(windows, [None]):
            for start, stop in window.reads if window is not None and waited else ():
                self.rows.expect(start, stop)
            if before is not None and (whole := self.rows.mapped) is not None:
                yield whole, before, self.chosen[before.places]
                self.rows.forget()
                waited = waited or waits() > at
            before = window

    def _read(self, windows: Iterable[Window]) -> Iterator[tuple[Tensor, Window, Tensor]]:
        """The windows of a file that must be read, each into a buffer of ours while the one before
        it is trained on.
        """
        buffers = [self.buffers.pop() if self.buffers else self._empty(0) for _ in range(2)]

        def fill(buffer: Tensor, window: Window) -> tuple[Tensor, Window, Tensor]:
            for (start, stop), at in zip(window.reads, window.filled, strict=True):
                self.rows.read(start, stop, buffer[at : at + stop - start])
            return buffer, window, window.at

        def works() -> Iterator[Callable[[], tuple[Tensor, Window, Tensor]]]:
            for number, window in enumerate(windows):
                this = number % 2
                if len(buffers[this]) < window.length:
                    buffers[this] = self._empty(0)  # given back before the larger one is taken
                    buffers[this] = self._empty(window.length)
                yield functools.partial(fill, buffers[this], window)

        try:
            yield from ahead(works())
        finally:
            self.buffers.extend(buffers)


def pieces(x: Tensor | Streamed, y: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """All samples with what belongs to them: at once, or where they stay on disk some at a time."""
    if not isinstance(x, Streamed):
        yield x, y
        return
    yield from zip(x.pieces(x.some), y.split(x.some), strict=True)


def _told(pieces: Iterable[T], total: int, size: int, each: int) -> Iterable[T]:
    """`pieces`, on a terminal with a bar where there is a gigabyte of them."""
    if total * each < 1 << 30 or not sys.stderr.isatty():
        return pieces
    from rich.console import Console
    from rich.progress import track

    return track(
        pieces,
        f"reading {total * each / 2**30:.1f} GB once",
        -(-total // size),
        console=Console(stderr=True),
        transient=True,
    )


def stream(rows: Rows, memory: int) -> Streamed:
    """All rows of a file, as they are."""
    return Streamed(rows, torch.arange(len(rows)), memory, identity())
