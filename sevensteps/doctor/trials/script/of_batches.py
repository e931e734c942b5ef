"""Alterations of the order in which samples come."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch.utils.data import DataLoader, IterableDataset, RandomSampler, Sampler

from sevensteps.doctor.trials.script.base import Intervention, random_seed
from sevensteps.observe.function_mode import Callers


class BlockSampler(Sampler[int]):
    """The samples in their order, but for the batches, which come in an order drawn at random."""

    def __init__(self, count: int, batch: int, seed: int) -> None:
        self.count, self.batch = count, batch
        self.draw = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        starts = range(0, self.count, self.batch)
        for block in torch.randperm(len(starts), generator=self.draw).tolist():
            yield from range(starts[block], min(starts[block] + self.batch, self.count))


@dataclass
class Shuffle(Intervention):
    """Every `DataLoader` that takes its samples in order takes them in a new one in each epoch."""

    step: ClassVar[str] = "repeat"

    def control(self, draw: torch.Generator) -> Intervention | None:
        return ShuffleBatches(random_seed(draw))

    def torch_imported(self) -> None:
        make: Any = DataLoader.__init__

        @functools.wraps(make)
        def initialize(
            loader: Any, dataset: Any, batch_size: Any = 1, *rest: Any, **named: Any
        ) -> None:
            own = any(named.get(name) is not None for name in ("sampler", "batch_sampler"))
            ordered = not own and not rest and not named.get("shuffle")
            if ordered and not isinstance(dataset, IterableDataset) and len(dataset) > 1:
                self.applied = True
                named = {**named, **self.options(len(dataset), batch_size or 1)}
            make(loader, dataset, batch_size, *rest, **named)

        replaced: Any = DataLoader
        replaced.__init__ = initialize

    def options(self, count: int, batch: int) -> dict[str, Any]:
        """What the loader is made with instead."""
        return {"shuffle": True}


@dataclass
class SameOrder(Intervention):
    """What is shuffled apart is shuffled alike: the orders of as many samples that are drawn on
    several lines of the script, or by several loaders, are one.
    """

    step: ClassVar[str] = "repeat"

    def __post_init__(self) -> None:
        super().__post_init__()
        # by the number of samples: those of an epoch each
        self._orders: dict[int, list[torch.Tensor]] = {}
        self._drawing = False  # an order, of which the draws within are a part
        self._counts: dict[tuple[int, Any], int] = {}  # by number and who draws: those drawn

    def control(self, draw: torch.Generator) -> Intervention | None:
        return None

    def torch_imported(self) -> None:
        permute, iterate = torch.randperm, RandomSampler.__iter__
        callers = Callers()

        @functools.wraps(permute)
        def randperm(n: int, *arguments: Any, **named: Any) -> torch.Tensor:
            if self._drawing:
                return permute(n, *arguments, **named)
            place = callers.where(sys._getframe(1))
            return self._order(n, place, lambda: permute(n, *arguments, **named))

        def iterate_alike(sampler: Any) -> Any:
            count = len(sampler.data_source)
            if sampler.replacement or sampler.num_samples != count:
                return iterate(sampler)
            draw = functools.partial(_drawn, iterate, sampler)
            return iter(self._order(count, id(sampler), draw).tolist())

        torch.randperm, RandomSampler.__iter__ = randperm, iterate_alike  # type: ignore[assignment, method-assign]

    def _order(self, n: int, who: Any, draw: Callable[[], torch.Tensor]) -> torch.Tensor:
        """The order that is the next one of `who`; the first who gets there draws it."""
        orders = self._orders.setdefault(n, [])
        drawn = self._counts[n, who] = self._counts.get((n, who), 0) + 1
        if drawn > len(orders):
            self._drawing = True
            try:
                orders.append(draw())
            finally:
                self._drawing = False
        else:
            self.applied = True
        return orders[drawn - 1]


def _drawn(iterate: Callable[[Any], Iterator[int]], sampler: Any) -> torch.Tensor:
    """The order that a sampler draws."""
    return torch.tensor(list(iterate(sampler)))


@dataclass
class ShuffleBatches(Shuffle):
    """The batches come in another order, each as it was."""

    seed: int

    def control(self, draw: torch.Generator) -> Intervention | None:
        return None

    def options(self, count: int, batch: int) -> dict[str, Any]:
        return {"sampler": BlockSampler(count, batch, self.seed)}
