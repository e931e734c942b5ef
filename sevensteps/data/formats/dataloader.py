"""`Data` from what PyTorch trains on elsewhere: a DataLoader, a dataset, or any batches (x, y)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

from sevensteps.arguments import whole
from sevensteps.data.dataset import Data
from sevensteps.data.formats.arrays import from_arrays
from sevensteps.data.formats.library_errors import short_reason
from sevensteps.data.streaming.memory_limit import COPIES, bytes_allowed
from sevensteps.errors import ArgumentError, DataError
from sevensteps.seeds import Isolation, generator

BATCH_SIZE = 256  # samples of a dataset that are put together


def from_loader(
    train: Any,
    valid: Any = 0.2,
    *,
    classes: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    scale: str = "none",
    target_scale: str = "none",
    seed: int = 0,
    name: str = "loader",
) -> Data:
    """`Data` from one pass over `train`: a DataLoader, a `torch.utils.data.Dataset`, or an iterable
    of batches (x, y).

    `valid` is the same for the part to judge by, or the share of the samples to split off, or None,
    as in `from_arrays`, which says what x and y may be and what the other arguments do. The samples
    are taken into memory as they come, once: a transform that draws anew each time is seen in one
    state. What is drawn comes from `seed`, and PyTorch's global generator is put back.

    >>> from torch.utils.data import DataLoader, TensorDataset
    >>> samples = TensorDataset(torch.arange(6.0)[:, None], torch.tensor([0, 0, 0, 1, 1, 1]))
    >>> data = from_loader(DataLoader(samples, batch_size=4), valid=samples)
    >>> len(data.train), len(data.valid), data.task.kind
    (6, 6, 'binary')

    Raises `DataError` for what is no batch, ends too late to be held in memory, or cannot be
    learned from.
    """
    order = generator(whole("seed", seed), "order")
    x, y = _collect(name, "training", train, order)
    valid_part = (
        valid
        if valid is None or isinstance(valid, int | float)
        else _collect(name, "validation", valid, order)
    )
    data = from_arrays(
        x,
        y,
        valid=valid_part,
        classes=classes,
        features=features,
        scale=scale,
        target_scale=target_scale,
        seed=seed,
        name=name,
    )
    kind = type(train).__name__
    return dataclasses.replace(
        data,
        about=f"{len(x):,} samples of a {kind}, taken once"
        + ("; trained and validated on the same samples" if valid is None else ""),
    )


def _collect(name: str, part: str, samples: Any, order: torch.Generator) -> tuple[Tensor, Any]:
    """All samples: inputs, and targets as `from_arrays` takes them."""
    if isinstance(samples, TensorDataset):
        if len(samples.tensors) != 2:
            raise DataError(
                f"{name}: the {part} TensorDataset has {len(samples.tensors)} tensors; give two: "
                "inputs and targets"
            )
        return samples.tensors[0], samples.tensors[1]
    if isinstance(samples, str | bytes | dict) or not isinstance(samples, Iterable | Dataset):
        raise ArgumentError(
            f"{name}: {part} data must be a DataLoader, a torch.utils.data.Dataset or batches (x, "
            f"y), not a {type(samples).__name__}"
        )
    loader: Any = (
        DataLoader(samples, batch_size=BATCH_SIZE) if isinstance(samples, Dataset) else samples
    )
    limit = bytes_allowed(None) // COPIES
    batches: list[tuple[Tensor, Any]] = []
    size = 0
    with Isolation(order):  # a DataLoader draws, and so may its dataset
        try:
            for batch in loader:
                x, y = _check_batch(name, part, len(batches) + 1, batch)
                if batches and x.shape[1:] != batches[0][0].shape[1:]:
                    raise DataError(
                        f"{name}: {part} batch {len(batches) + 1} has inputs {list(x.shape)}, the "
                        f"first {list(batches[0][0].shape)}; give all samples one shape"
                    )
                size += x.numel() * x.itemsize
                if size > limit:
                    raise DataError(
                        f"{name}: the {part} samples take more than {limit / 2**30:.1f} GB, which "
                        "do not fit into memory; "
                        "does it end? Give fewer, or save them with numpy.save and train on the "
                        "file"
                    )
                batches.append((x, y))
        except (TypeError, RuntimeError) as failure:
            if not isinstance(samples, Dataset):
                raise
            raise DataError(
                f"{name}: the {part} samples cannot be put together: {short_reason(failure)}; give "
                "the dataset a transform that makes tensors of one size"
            ) from None
    if not batches:
        raise DataError(f"{name}: the {part} data give no batch; check the dataset and drop_last")
    inputs = torch.cat([x for x, _ in batches])
    if all(isinstance(y, Tensor) for _, y in batches):
        if len({y.shape[1:] for _, y in batches}) > 1:
            raise DataError(
                f"{name}: the targets of the {part} batches have several shapes; give all samples "
                "one shape"
            )
        return inputs, torch.cat([y for _, y in batches])
    return inputs, [text for _, y in batches for text in y]


def _check_batch(name: str, part: str, number: int, batch: Any) -> tuple[Tensor, Any]:
    """Inputs and targets of one batch, copied, as the loader may fill the same memory again."""
    if not isinstance(batch, list | tuple) or len(batch) != 2:
        batch_type = (
            f"a dict of {', '.join(map(str, batch))}"
            if isinstance(batch, dict)
            else f"a {type(batch).__name__}"
        )
        batch_type += f" of {len(batch)}" if isinstance(batch, list | tuple) else ""
        raise DataError(
            f"{name}: {part} batch {number} is {batch_type}; a batch must be a pair (x, y)"
        )
    x, y = batch
    try:
        inputs = torch.as_tensor(x).detach().cpu().clone()
        are_texts = isinstance(y, list | tuple) and all(isinstance(target, str) for target in y)
        targets: Any = list(y) if are_texts else torch.as_tensor(y).detach().cpu().clone()
    except (TypeError, ValueError, RuntimeError) as failure:
        raise DataError(
            f"{name}: {part} batch {number} cannot be made tensors: {short_reason(failure)}"
        ) from None
    if inputs.ndim == 0 or (not are_texts and targets.ndim == 0) or len(inputs) != len(targets):
        target_shape = [len(targets)] if are_texts else list(targets.shape)
        raise DataError(
            f"{name}: {part} batch {number} has inputs {list(inputs.shape)} and targets "
            f"{target_shape}; give one target for each input"
        )
    return inputs, targets
