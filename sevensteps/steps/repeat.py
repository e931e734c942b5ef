"""Step 6, the repetition: on which samples, in which order?

All samples lie in memory and a batch is taken by index: no worker processes, no copies of single
samples.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import KW_ONLY, dataclass
from typing import Any

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from sevensteps.arguments import flag, whole
from sevensteps.data.inputs import Inputs
from sevensteps.data.streaming.streamed_inputs import StreamedInputs
from sevensteps.engine.distributed.data_parallel import Partition
from sevensteps.errors import ArgumentError, DataError
from sevensteps.notation import auto, value
from sevensteps.seeds import Isolation

__all__ = ["auto", "batches", "full_batch", "loader"]

# inputs [B, …], or the `BatchPart` of them that one of several processes computes
Batch = tuple[Any, Shaped[Tensor, "B ..."]]


# numbers gathered at once (4 MiB of float32): the batches are then views, which cost a tenth of a
# gather each
GATHERED_AT_ONCE = 2**20
END = object()  # what no loader can give as a batch


@dataclass(frozen=True, eq=False)
class Samples:
    """What there is to train on: inputs, targets as the loss takes them, and how raw batches become
    such pairs.

    `partition` says which part of each batch this process computes, where several processes share
    it.
    """

    x: Inputs
    y: Shaped[Tensor, "N ..."]
    encode: Callable[[Any, Any], Batch]
    partition: Partition | None = None

    def part(self, batch: Batch) -> Batch:
        """What is wanted of a batch."""
        return batch if self.partition is None else self.partition.take(*batch)


class Repeat(ABC):
    """Goes over the samples once per epoch, in batches."""

    @property
    def order(self) -> int | None:
        """The seed of the order, where it is not the seed of the whole training."""
        return None

    @abstractmethod
    def count(self, samples: int) -> int:
        """Batches in one epoch over `samples`; refused where there would be none."""

    def size_of(self, samples: int) -> int | None:
        """The size of a batch, the last one of an epoch over `samples` aside, if it is known."""
        return None

    def smallest(self, samples: int) -> int | None:
        """The size of the smallest batch of an epoch over `samples`, if it is known."""
        return None

    def indices(self, samples: int, order: torch.Generator) -> Int64[Tensor, "M"] | None:
        """The samples of one epoch in the order in which they are gone over, drawn from `order` as
        `epoch` draws it, if that is known beforehand.
        """
        return None

    def check(self, x: Inputs) -> None:  # noqa: B027 - most take any samples
        """Raise `DataError` where these inputs cannot be gone over so."""

    @abstractmethod
    def epoch(self, samples: Samples, order: torch.Generator, skip: int = 0) -> Iterator[Batch]:
        """The batches of one epoch, as (x, y), without the first `skip`, which have been trained
        on.
        """


@value
class batches(Repeat):
    """mini-batches of `size` samples, shuffled anew each epoch; the last one is smaller unless
    drop_last

    `shuffle=False` keeps the order of the data, as the book's own loader does. With `seed=0` the
    order is that of seed 0, whatever the seed of the training: trainings that differ in theirs then
    meet the same batches. Source: fastbook ch. 4; torch.utils.data.DataLoader.
    """

    size: int
    _: KW_ONLY
    shuffle: bool = True
    drop_last: bool = False
    seed: int | None = None

    def __post_init__(self) -> None:
        whole("size", self.size, at_least=1)
        flag("drop_last", self.drop_last)
        if self.seed is not None:
            whole("seed", self.seed)
        if not flag("shuffle", self.shuffle) and self.seed is not None:
            raise ArgumentError(
                "without shuffling there is no order to draw; leave seed out, or shuffle=False"
            )

    @property
    def order(self) -> int | None:
        return self.seed

    def count(self, samples: int) -> int:
        if self.size > samples:
            raise ArgumentError(
                f"a batch of {self.size} is larger than the {samples} training samples; "
                f"use batches({min(64, samples)}) or full_batch()"
            )
        return samples // self.size if self.drop_last else -(-samples // self.size)

    def size_of(self, samples: int) -> int | None:
        return self.size

    def smallest(self, samples: int) -> int | None:
        return self.size if self.drop_last else samples % self.size or self.size

    def indices(self, samples: int, order: torch.Generator) -> Int64[Tensor, "M"]:
        end = self.count(samples) * self.size if self.drop_last else samples
        if not self.shuffle:
            return torch.arange(end)
        return torch.randperm(samples, generator=order)[:end]

    def epoch(self, samples: Samples, order: torch.Generator, skip: int = 0) -> Iterator[Batch]:
        total = len(samples.x)
        end = self.count(total) * self.size if self.drop_last else total
        if isinstance(samples.x, StreamedInputs):
            yield from map(samples.part, self._streamed(samples.x, samples.y, end, order, skip))
            return
        if not self.shuffle:
            for start in range(skip * self.size, end, self.size):
                yield samples.part(
                    (
                        samples.x[start : min(start + self.size, end)],
                        samples.y[start : min(start + self.size, end)],
                    )
                )
            return
        indices = self.indices(total, order).to(samples.x.device)
        if samples.partition is not None:  # no process gathers the rows of another
            for index in indices.split(self.size)[skip:]:
                yield samples.partition.take(samples.x, samples.y, index)
            return
        many = max(1, GATHERED_AT_ONCE // (self.size * samples.x[0].numel()))  # batches
        for index in indices.split(self.size * many)[skip // many :]:
            x, y = samples.x.index_select(0, index), samples.y.index_select(0, index)
            gathered = zip(x.split(self.size), y.split(self.size), strict=True)
            # cut out of the same piece: where numbers lie can change bits
            yield from itertools.islice(gathered, skip % many, None)
            skip = 0

    def _streamed(
        self, x: StreamedInputs, y: Tensor, end: int, order: torch.Generator, skip: int
    ) -> Iterator[Batch]:
        """The batches of samples that stay on disk: shuffled in windows, or in the file's order."""
        if self.shuffle:
            yield from (
                (batch, y[places]) for batch, places in x.shuffled(self.size, end, order, skip)
            )
            return
        start = skip * self.size
        for batch in x.narrow(0, 0, end).batches(self.size, start):
            yield batch, y[start : start + len(batch)]
            start += len(batch)


@value
class full_batch(Repeat):
    """all samples at once: the exact gradient of the training loss, one step an epoch

    Source: gradient descent, Cauchy 1847; fastbook ch. 4 (the speed example).
    """

    def count(self, samples: int) -> int:
        return 1

    def size_of(self, samples: int) -> int | None:
        return samples

    def smallest(self, samples: int) -> int | None:
        return samples

    def indices(self, samples: int, order: torch.Generator) -> Int64[Tensor, "M"]:
        return torch.arange(samples)

    def check(self, x: Inputs) -> None:
        if isinstance(x, StreamedInputs):
            raise DataError(
                f"full_batch() takes all {len(x):,} samples at once, but they stay on disk; use "
                "batches(256), or allow the "
                "data more memory"
            )

    def epoch(self, samples: Samples, order: torch.Generator, skip: int = 0) -> Iterator[Batch]:
        if not skip and isinstance(samples.x, Tensor):  # `check` has refused others
            yield samples.part((samples.x, samples.y))


@dataclass(frozen=True, eq=False, repr=False)
class loader(Repeat):
    """the batches of a DataLoader, or of any iterable of (x, y) pairs; from Python only

    It is gone over once an epoch. What it draws from PyTorch's global generator is made repeatable,
    and put back.
    Source: torch.utils.data.DataLoader.
    """

    batches: Iterable[Any]

    def __post_init__(self) -> None:
        try:
            sized = len(self.batches) >= 0  # type: ignore[arg-type]
        except TypeError:  # also of a DataLoader over an iterable dataset
            sized = False
        if (
            not sized
            or not isinstance(self.batches, Iterable)
            or isinstance(self.batches, str | Iterator)
        ):
            raise ArgumentError(
                "loader takes a DataLoader, or a list of (x, y) batches, not a "
                f"{type(self.batches).__name__}; "
                "it must have a length and allow going over it again"
            )

    def __repr__(self) -> str:
        return f"loader(<{type(self.batches).__name__} of {len(self.batches)} batches>)"  # type: ignore[arg-type]

    def __eq__(
        self, other: object
    ) -> bool:  # the same object: batches of tensors cannot be compared by ==
        return type(other) is loader and other.batches is self.batches

    def __hash__(self) -> int:
        return hash((loader, id(self.batches)))

    def count(self, samples: int) -> int:
        count = len(self.batches)  # type: ignore[arg-type]
        if count == 0:
            raise DataError("the loader has no batches; check its dataset and drop_last")
        return count

    def epoch(self, samples: Samples, order: torch.Generator, skip: int = 0) -> Iterator[Batch]:
        isolation = Isolation(order)
        with isolation:
            iterator = iter(self.batches)
        while True:
            with isolation:
                batch = next(iterator, END)
            if batch is END:
                return
            if not isinstance(batch, list | tuple) or len(batch) != 2:
                raise DataError(
                    f"the loader gave a {type(batch).__name__}; a batch must be a pair (x, y)"
                )
            if skip:
                skip -= 1
            else:
                yield samples.part(samples.encode(*batch))


def choose(samples: int, **options: Any) -> tuple[Repeat, str]:
    """What `auto()` takes for this many samples, and why."""
    if samples <= 64 and not options:
        return full_batch(), f"{samples} samples fit into one batch, which gives the exact gradient"
    size = options.pop("size", min(samples, 64 if samples < 20_000 else 256))
    why = f"{size} of {samples} samples give a good enough gradient for many cheap steps"
    shuffled = "; shuffled, so that no batch is one-sided" if options.get("shuffle", True) else ""
    return batches(size, **options), why + shuffled
