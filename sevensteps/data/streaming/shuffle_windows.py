"""The windows of an epoch over a file: which rows are in memory together, and in which order.

Samples are shuffled among those of the same window.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch
from jaxtyping import Int
from torch import Tensor

T = TypeVar("T")
Span = tuple[int, int]


class Window:
    """The samples of some `spans` of a file, shuffled among each other by `permutation`.

    `skip` says how many of its batches have been trained on. `file_rows` are the rows of all
    samples in the file. `reads` are the rows to be read, (start, stop) for each span, which go into
    the buffer at `offsets`; `length` rows in all. In the shuffled order, `samples` are the indices
    of the samples, `buffer_rows` where each lies in the buffer.
    """

    def __init__(
        self,
        spans: list[Span],
        permutation: Int[Tensor, "W"],
        skip: int,
        file_rows: Int[Tensor, "N"],
    ) -> None:
        self.skip = skip
        self.reads = [(int(file_rows[first]), int(file_rows[end - 1]) + 1) for first, end in spans]
        *self.offsets, self.length = itertools.accumulate(
            (stop - start for start, stop in self.reads), initial=0
        )
        self.samples = torch.cat([torch.arange(first, end) for first, end in spans])[permutation]
        shifts = torch.tensor(
            [offset - start for (start, _), offset in zip(self.reads, self.offsets, strict=True)]
        )
        lengths = torch.tensor([end - first for first, end in spans])
        shift = shifts.repeat_interleave(lengths)[permutation]
        self.buffer_rows = file_rows[self.samples] + shift


def group_spans(spans: list[Span], size: int, count: int) -> Iterator[list[Span]]:
    """Spans cut into groups of `size` samples, `count` in all."""
    group: list[Span] = []
    free, remaining = min(size, count), count
    for start, stop in spans:
        while start < stop and remaining:
            taken = min(stop - start, free)
            group.append((start, start + taken))
            start, free, remaining = start + taken, free - taken, remaining - taken
            if not free:
                yield group
                group, free = [], min(size, remaining)


def read_ahead(reads: Iterable[Callable[[], T]]) -> Iterator[T]:
    """The results of `reads`, in order; each is begun while the one before it is used."""
    with ThreadPoolExecutor(1, "reading") as pool:
        pending: Future[T] | None = None
        for read in reads:
            following = pool.submit(read)
            if pending is not None:
                yield pending.result()
            pending = following
        if pending is not None:
            yield pending.result()
