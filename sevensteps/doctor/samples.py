"""The data that users hand over, tensors, arrays, a data set or a loader, as one pair of
tensors.
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

MAX_SAMPLES = 4096  # samples that are taken from a loader or a data set


def pair_of(name: str, data: Any) -> Pair | None:
    """`data`, the user's argument `name`, as a pair (inputs, targets) of tensors.

    Takes a pair of tensors or arrays, or a `DataLoader` or `Dataset`, whose first samples are
    taken. None stays None. PyTorch's global generator is not touched. Raises `ArgumentError` for
    anything else.
    """
    if data is None:
        return None
    if isinstance(data, Dataset):
        data = DataLoader(data, batch_size=256)
    if isinstance(data, DataLoader):
        with Isolation(torch.Generator().manual_seed(0)):
            data = _first_samples(name, data)
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise ArgumentError(
            f"{name} must be a pair (inputs, targets) or a DataLoader, not a {type(data).__name__}"
        )
    x, y = (_tensor(name, part) for part in data)
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y) or len(x) == 0:
        raise ArgumentError(
            f"{name}: inputs {list(x.shape)} and targets {list(y.shape)}; give at least one "
            "sample, and one target for each"
        )
    return x, y


def _first_samples(name: str, loader: DataLoader[Any]) -> tuple[Tensor, Tensor]:
    batches: list[tuple[Tensor, Tensor]] = []
    for batch in loader:
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise ArgumentError(
                f"{name}: the loader gives a {type(batch).__name__}, not pairs (inputs, targets); "
                "give two tensors"
            )
        batches.append((_tensor(name, batch[0]), _tensor(name, batch[1])))
        if sum(len(x) for x, _ in batches) >= MAX_SAMPLES:
            break
    if not batches:
        raise ArgumentError(f"{name}: the loader gives no batch")
    return torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])


def _tensor(name: str, numbers: Any) -> Tensor:
    """A tensor of `numbers`: itself where it is one, so that training data given as validation
    data are recognised.
    """
    if isinstance(numbers, Tensor):
        return numbers.detach() if numbers.requires_grad else numbers
    try:
        return torch.as_tensor(np.asarray(numbers))
    except (TypeError, ValueError) as failure:
        raise ArgumentError(f"{name} must hold numbers: {failure}") from None
