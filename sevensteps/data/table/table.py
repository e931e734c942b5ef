"""A table with named columns, whatever file it comes from, read a block of rows at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy
from numpy.typing import NDArray

from sevensteps.data.table.cells import Cells

Block = dict[str, Cells]  # some rows: the cells of each column


class Table(ABC):
    """A table with named columns, whose rows can be gone over as often as needed.

    `where` is its name in messages, `title` that in the description of the data. Where it comes
    split, its first `train_rows` rows are the training part. `classes` are the names, in order, of
    columns that are known to hold classes. `notes` say how it was read, where that was not plain;
    where `may_have_commas`, a number that could have a decimal comma has one. `unusable` are the
    columns whose cells can be no inputs, and what they hold.
    """

    where: str
    title: str
    names: list[str]
    train_rows: int | None = None
    classes: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    notes: tuple[str, ...] = ()
    may_have_commas: bool = False
    unusable: Mapping[str, str] = MappingProxyType({})

    @abstractmethod
    def blocks(self, names: Sequence[str]) -> Iterator[Block]:
        """The cells of these columns, block by block, in the order of the rows. Raises
        `DataError`.
        """


def row_count(block: Block) -> int:
    """How many rows a block has."""
    return len(next(iter(block.values())))


def select_rows(block: Block, mask: NDArray[numpy.bool_]) -> Block:
    """The rows of a block at which `mask` is true."""
    if mask.all():
        return block
    rows = numpy.flatnonzero(mask)
    return {name: cells.take(rows) for name, cells in block.items()}


def name_columns(names: Sequence[str], most: int = 12) -> str:
    """The first of `names`, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
