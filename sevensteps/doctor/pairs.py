"""Inputs and targets together, of whatever form: some of them, whether two are the same."""

from __future__ import annotations

import operator
from typing import Any

from torch import Tensor

from sevensteps.doctor.asking import main_target
from sevensteps.observe.structure import rows, sample_count, spread_indices

# inputs and targets: tensors, or tuples and dictionaries of them
Pair = tuple[Any, Any]


def subset(pair: Pair, most: int) -> Pair:
    """At most `most` samples of a pair, spread over all."""
    count = sample_count(pair[0])
    if count <= most:
        return pair
    chosen = spread_indices(count, most)
    return rows(pair[0], chosen), rows(pair[1], chosen)


def same_tensors(pair: Pair | None, other: Pair | None) -> bool:
    """Whether two pairs hold the very same inputs and targets."""
    if pair is None or other is None:
        return pair is other
    return len(pair) == len(other) and all(map(operator.is_, pair, other))


def targets_of(pair: Pair | None) -> Tensor | None:
    """The main targets of a pair."""
    return None if pair is None else main_target(pair[1])
