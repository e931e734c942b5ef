"""Samples that stand in both parts: what is judged by them measures memory, not learning."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor

from sevensteps.data.dataset import Data

MOST = 2**28  # numbers that are compared, a gigabyte; more would take seconds
SOME = 64  # numbers of each sample that are compared first
_counted: WeakKeyDictionary[Data, int | None] = WeakKeyDictionary()


def duplicates(data: Data) -> int | None:
    """How many validation inputs equal a training input in every number; None where there are too
    many to compare.

    Counted once for the same `data`.
    """
    if data not in _counted:
        x, other = data.train.x, data.valid.x
        _counted[data] = (
            count(x, other) if isinstance(x, Tensor) and isinstance(other, Tensor) else None
        )
    return _counted[data]


def count(train: Tensor, valid: Tensor) -> int | None:
    """How many rows of `valid` equal a row of `train` in every number, -0 being 0; None for more
    than `MOST` numbers.

    >>> count(torch.tensor([[1.0, 2.0], [0.0, 3.0]]), torch.tensor([[-0.0, 3.0], [3.0, 0.0]]))
    1
    """
    if train.shape[1:] != valid.shape[1:] or not len(train) or not len(valid):
        return 0
    if train.numel() + valid.numel() > MOST:
        return None
    if (
        train.data_ptr() == valid.data_ptr()
        and train.shape == valid.shape
        and train.stride() == valid.stride()
    ):
        return len(valid)
    a, b = (part.detach().cpu().reshape(len(part), -1) for part in (train, valid))
    if (
        a.shape[1] > SOME
    ):  # few samples that differ are alike in their middle; only these are compared whole
        first = (a.shape[1] - SOME) // 2
        seen, asked = (_hashes(part[:, first : first + SOME]) for part in (a, b))
        a, b = (
            a[torch.from_numpy(numpy.isin(seen, asked))],
            b[torch.from_numpy(numpy.isin(asked, seen))],
        )
    keys = {row.tobytes() for row in _whole(a)}
    return sum(row.tobytes() in keys for row in _whole(b))


def _hashes(rows: Tensor) -> NDArray[numpy.int64]:
    """A whole number for each row, the same for equal rows; others may share it."""
    held = _whole(rows).view(numpy.uint8 if rows.element_size() % 4 else numpy.int32)
    factors: Any = numpy.random.default_rng(0).integers(2**62, size=held.shape[1]).tolist()
    found = numpy.zeros(len(held), dtype=numpy.int64)
    for column, factor in enumerate(factors):  # sums wrap around, which no order of adding changes
        found += held[:, column].astype(numpy.int64) * (2 * factor + 1)
    return found


def _whole(rows: Tensor) -> NDArray[numpy.generic]:
    """The rows as NumPy has them, with -0 as 0, whose bytes differ."""
    found: NDArray[numpy.generic] = (
        (rows + 0 if rows.is_floating_point() else rows).contiguous().numpy()
    )
    return found
