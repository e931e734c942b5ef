"""The data that users hand over, tensors, arrays, a data set or a loader, as one pair (inputs,
targets).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sevensteps.doctor.asking import TARGETS
from sevensteps.doctor.pairs import Pair
from sevensteps.errors import ArgumentError
from sevensteps.observe.structure import joined, map_tensors, sample_count, tensors_of
from sevensteps.seeds import Isolation

MAX_SAMPLES = 4096  # samples that are taken from a loader or a data set

Names = Sequence[str | int]  # of the inputs in a batch: keys, or places


def pair_of(name: str, data: Any, inputs: Names | None = None) -> Pair | None:
    """`data`, the user's argument `name`, as a pair (inputs, targets).

    Takes a pair, of tensors or arrays or of tuples and dictionaries of them, or a `DataLoader` or
    `Dataset`, whose first samples are taken. Of batches that are no pairs, `inputs` names what the
    network is given, by key or place; else the last part is the target, or the one that is called
    so. None stays None. PyTorch's global generator is not touched. Raises `ArgumentError` for
    anything else.
    """
    if data is None:
        return None
    if isinstance(data, Dataset):
        data = DataLoader(data, batch_size=256)
    if isinstance(data, DataLoader):
        with Isolation(torch.Generator().manual_seed(0)):
            x, y = _first_samples(name, data, inputs)
    else:
        x, y = _split(name, data, inputs, "")
    counts = sample_count(x), sample_count(y)
    if counts[0] != counts[1] or counts[0] == 0:
        raise ArgumentError(
            f"{name}: inputs {_shapes(x)} and targets {_shapes(y)}; give at least one "
            "sample, and one target for each"
        )
    return x, y


def _split(name: str, batch: Any, inputs: Names | None, whose: str) -> Pair:
    """Inputs and targets of one batch, or of all data where there is no loader."""
    if isinstance(batch, Mapping):
        keys = list(batch)
        if inputs is None:
            targets = [key for key in keys if str(key) in TARGETS]
            inputs = [key for key in keys if key not in targets]
        targets = [key for key in keys if key not in inputs]
        if not targets or len(targets) == len(keys) or set(inputs) - set(keys):
            raise ArgumentError(
                f"{name}: {whose}a dictionary of {', '.join(map(str, keys))}; say which of them "
                'are the inputs, inputs=("x",), and leave the rest to be the targets'
            )
        x: Any = {key: batch[key] for key in inputs}
        y: Any = {key: batch[key] for key in targets}
        y = y[targets[0]] if len(targets) == 1 else y
        return _tensors(name, x), _tensors(name, y)
    if isinstance(batch, tuple | list) and len(batch) >= 2:
        places = list(range(len(batch) - 1)) if inputs is None else list(inputs)
        if all(isinstance(p, int) and 0 <= p < len(batch) for p in places):
            targets = [part for place, part in enumerate(batch) if place not in places]
            parts = [batch[int(place)] for place in places]
            if parts and targets:
                x = parts[0] if len(parts) == 1 else tuple(parts)
                y = targets[0] if len(targets) == 1 else tuple(targets)
                return _tensors(name, x), _tensors(name, y)
    if whose:
        raise ArgumentError(
            f"{name}: {whose}a {type(batch).__name__}, not pairs (inputs, targets); give two "
            "tensors"
        )
    raise ArgumentError(
        f"{name} must be a pair (inputs, targets) or a DataLoader, not a {type(batch).__name__}"
    )


def _first_samples(name: str, loader: DataLoader[Any], inputs: Names | None) -> Pair:
    pair: Pair | None = None
    for batch in loader:
        more = _split(name, batch, inputs, "the loader gives ")
        if pair is None:
            pair = more
        elif (together := joined(pair, more)) is not None:
            pair = together  # batches of other shapes, as of other lengths, are left out
        if sample_count(pair[0]) >= MAX_SAMPLES:
            break
    if pair is None:
        raise ArgumentError(f"{name}: the loader gives no batch")
    return pair


def _tensors(name: str, value: Any) -> Any:
    """`value` with tensors in place of its arrays: itself where it is one, so that training data
    given as validation data are recognised.
    """
    if isinstance(value, Tensor):
        return value.detach() if value.requires_grad else value
    if isinstance(value, Mapping):
        return {key: _tensors(name, part) for key, part in value.items()}
    if isinstance(value, tuple | list) and any(
        isinstance(part, np.ndarray | Tensor) for part in value
    ):
        return tuple(_tensors(name, part) for part in value)
    if tensors_of(value):
        return map_tensors(lambda t: t.detach(), value)
    try:
        return torch.as_tensor(np.asarray(value))
    except (TypeError, ValueError) as failure:
        raise ArgumentError(f"{name} must hold numbers: {failure}") from None


def _shapes(value: Any) -> str:
    shapes = [str(list(tensor.shape)) for tensor in tensors_of(value).values()]
    return ", ".join(shapes) or "nothing"
