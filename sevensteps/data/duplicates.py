"""Counts the samples that stand in both parts.

Judged by them, a network that remembers looks like one that has learned.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor

from sevensteps.data.inputs import Inputs, chunk_size

MAX_NUMBERS = 2**28  # that are compared, a gigabyte; more would take seconds
FIRST_COLUMNS = 64  # numbers of each sample that are compared first


def count_duplicates(train: Tensor, valid: Tensor) -> int | None:
    """How many rows of `valid` equal a row of `train` in every number, -0 being 0; None for more
    than `MAX_NUMBERS` numbers.

    >>> train = torch.tensor([[1.0, 2.0], [0.0, 3.0]])
    >>> count_duplicates(train, torch.tensor([[-0.0, 3.0], [3.0, 0.0]]))
    1
    """
    if train.shape[1:] != valid.shape[1:] or not len(train) or not len(valid):
        return 0
    if train.numel() + valid.numel() > MAX_NUMBERS:
        return None
    if (
        train.data_ptr() == valid.data_ptr()
        and train.shape == valid.shape
        and train.stride() == valid.stride()
    ):
        return len(valid)
    a, b = (part.detach().cpu().reshape(len(part), -1) for part in (train, valid))
    # few samples that differ are alike in their middle; only these are compared whole
    if a.shape[1] > FIRST_COLUMNS:
        first = (a.shape[1] - FIRST_COLUMNS) // 2
        hashes_a, hashes_b = (_hashes(part[:, first : first + FIRST_COLUMNS]) for part in (a, b))
        a, b = (
            a[torch.from_numpy(numpy.isin(hashes_a, hashes_b))],
            b[torch.from_numpy(numpy.isin(hashes_b, hashes_a))],
        )
    keys = {row.tobytes() for row in _comparable(a)}
    return sum(row.tobytes() in keys for row in _comparable(b))


def count_duplicates_on_disk(train: Inputs, valid: Inputs) -> int:
    """How many samples of `valid` are in `train` too, by a hash of each: a pass over both parts.

    Two samples share a hash of 128 bits by chance in one of 10^38 pairs.
    """
    if train.shape[1:] != valid.shape[1:]:
        return 0
    hashes = set(_digests(train))
    return sum(digest in hashes for digest in _digests(valid))


def _digests(x: Inputs) -> Iterator[bytes]:
    """A hash of each sample, as the samples themselves would not fit into memory."""
    for chunk in x.split(chunk_size(x, len(x))):
        # + 0.0 makes -0 and 0 the same bytes
        for row in (chunk.reshape(len(chunk), -1) + 0.0).contiguous().numpy():
            yield hashlib.blake2b(row, digest_size=16).digest()


def _hashes(rows: Tensor) -> NDArray[numpy.int64]:
    """A whole number for each row, the same for equal rows; others may share it."""
    words = _comparable(rows).view(numpy.uint8 if rows.element_size() % 4 else numpy.int32)
    factors: Any = numpy.random.default_rng(0).integers(2**62, size=words.shape[1]).tolist()
    sums = numpy.zeros(len(words), dtype=numpy.int64)
    for column, factor in enumerate(factors):  # sums wrap around, which no order of adding changes
        sums += words[:, column].astype(numpy.int64) * (2 * factor + 1)
    return sums


def _comparable(rows: Tensor) -> NDArray[numpy.generic]:
    """The rows as NumPy has them, with -0 as 0, whose bytes differ."""
    array: NDArray[numpy.generic] = (
        (rows + 0 if rows.is_floating_point() else rows).contiguous().numpy()
    )
    return array
