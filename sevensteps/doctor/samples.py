"""Inputs and targets as people hold them: tensors, arrays, a data set or a loader, made into one
pair of tensors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sevensteps.doctor.case import Pair
from sevensteps.errors import ArgumentError
from sevensteps.seeds import Isolation

MOST = 4096  # samples that are taken from a loader or a data set


def pair_of(name: str, given: Any) -> Pair | None:
    """`given` as (inputs, targets); of a `DataLoader` or `Dataset` the first samples. None stays
    None.

    A loader is asked for batches without touching PyTorch's global generator. Raises
    `ArgumentError` for anything else."""
    if given is None:
        return None
    if isinstance(given, Dataset):
        given = DataLoader(given, batch_size=256)
    if isinstance(given, DataLoader):
        with Isolation(torch.Generator().manual_seed(0)):
            given = _first(name, given)
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise ArgumentError(
            f"{name} must be a pair (inputs, targets) or a DataLoader, not a {type(given).__name__}"
        )
    x, y = (_tensor(name, part) for part in given)
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y) or len(x) == 0:
        raise ArgumentError(
            f"{name}: inputs {list(x.shape)} and targets {list(y.shape)}; give at least one "
            "sample, and one target "
            "for each"
        )
    return x, y


def _first(name: str, loader: DataLoader[Any]) -> tuple[Tensor, Tensor]:
    kept: list[tuple[Tensor, Tensor]] = []
    for batch in loader:
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise ArgumentError(
                f"{name}: the loader gives a {type(batch).__name__}, not pairs (inputs, targets); "
                "give two tensors"
            )
        kept.append((_tensor(name, batch[0]), _tensor(name, batch[1])))
        if sum(len(x) for x, _ in kept) >= MOST:
            break
    if not kept:
        raise ArgumentError(f"{name}: the loader gives no batch")
    return torch.cat([x for x, _ in kept]), torch.cat([y for _, y in kept])


def _tensor(name: str, held: Any) -> Tensor:
    if isinstance(held, Tensor):
        return (
            held.detach() if held.requires_grad else held
        )  # itself, so that one sees who judges by what was trained on
    try:
        return torch.as_tensor(np.asarray(held))
    except (TypeError, ValueError) as failure:
        raise ArgumentError(f"{name} must hold numbers: {failure}") from None
