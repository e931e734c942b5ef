"""Windows of an epoch over a file: which stretches of it are in memory together, and in which order
their samples come.
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
    """Samples that are shuffled among each other; `spans` of them, in the order `mixed`, without the first `skip` batches.

    `chosen` are the rows of all samples. `reads` are the rows to be read, one span's after the
    other's at the places `filled`, `length` in all; `places` the samples in their order, `at` where
    each lies in what was read."""

    def __init__(
        self, spans: list[Span], mixed: Int[Tensor, "W"], skip: int, chosen: Int[Tensor, "N"]
    ) -> None:
        self.skip = skip
        self.reads = [(int(chosen[first]), int(chosen[end - 1]) + 1) for first, end in spans]
        *self.filled, self.length = itertools.accumulate(
            (stop - start for start, stop in self.reads), initial=0
        )
        self.places = torch.cat([torch.arange(first, end) for first, end in spans])[mixed]
        shifts = torch.tensor(
            [at - start for (start, _), at in zip(self.reads, self.filled, strict=True)]
        )
        shift = shifts.repeat_interleave(torch.tensor([end - first for first, end in spans]))[mixed]
        self.at = chosen[self.places] + shift


def grouped(spans: list[Span], room: int, count: int) -> Iterator[list[Span]]:
    """Spans cut into groups of `room` samples, `count` in all."""
    group: list[Span] = []
    free, left = min(room, count), count
    for start, stop in spans:
        while start < stop and left:
            taken = min(stop - start, free)
            group.append((start, start + taken))
            start, free, left = start + taken, free - taken, left - taken
            if not free:
                yield group
                group, free = [], min(room, left)


def ahead(works: Iterable[Callable[[], T]]) -> Iterator[T]:
    """The results of `works`, in order; each is begun while the one before it is used."""
    with ThreadPoolExecutor(1, "reading") as pool:
        pending: Future[T] | None = None
        for work in works:
            following = pool.submit(work)
            if pending is not None:
                yield pending.result()
            pending = following
        if pending is not None:
            yield pending.result()
