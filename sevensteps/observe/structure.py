"""Inputs, outputs and targets that are more than one tensor: tuples, dictionaries, dataclasses,
packed sequences, in each other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

MAX_DEPTH = 6  # of structures in structures
MAX_TENSORS = 64  # of one structure that are found
PLAIN = frozenset({int, float, bool, str, type(None)})  # that hold nothing
# names under which a network gives its answer beside other things
ANSWERS = ("logits", "output", "out", "prediction", "predictions", "pred", "preds", "y_hat")


def tensors_of(value: Any) -> dict[str, Tensor]:
    """The tensors in `value` by their path, `{"0": …, "1.hidden": …}`; `{"": value}` of a tensor.

    Looks into tuples, lists, mappings, dataclasses and packed sequences, into nothing else.
    """
    if isinstance(value, Tensor):
        return {"": value}
    tensors: dict[str, Tensor] = {}
    _collect(value, "", 0, tensors, MAX_TENSORS)
    return tensors


def _collect(value: Any, path: str, depth: int, tensors: dict[str, Tensor], most: int) -> None:
    """Add to `tensors` those in a structure, until there are `most`."""
    start = f"{path}." if path else ""
    for name, part in _parts(value):
        if len(tensors) == most:
            return
        if isinstance(part, Tensor):
            tensors[start + name] = part
        elif depth + 1 < MAX_DEPTH and type(part) not in PLAIN:
            _collect(part, start + name, depth + 1, tensors, most)


def _parts(value: Any) -> Iterable[tuple[str, Any]]:
    """(name, part) of what is in a structure; nothing of what is none."""
    kind = type(value)
    if kind in PLAIN:
        return ()
    if kind is tuple or kind is list:  # as most are
        return zip(map(str, range(len(value))), value, strict=True)
    if isinstance(value, PackedSequence):
        return (("data", value.data),)
    if isinstance(value, Mapping):
        return ((str(key), value[key]) for key in value)
    if isinstance(value, tuple | list):
        names = getattr(value, "_fields", None) or range(len(value))
        return zip(map(str, names), value, strict=True)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return ((f.name, getattr(value, f.name, None)) for f in dataclasses.fields(value))
    return ()


def settings_of(value: Any, depth: int = 0) -> dict[str, Any]:
    """What in a structure is neither a tensor nor a structure, by its path: the number of a task,
    the name of a head.
    """
    if isinstance(value, Tensor | PackedSequence) or depth == MAX_DEPTH:
        return {}
    parts = dict(_parts(value))
    if not parts:
        return {"": value}
    return {
        f"{name}.{path}" if path else name: setting
        for name, part in parts.items()
        for path, setting in settings_of(part, depth + 1).items()
    }


def main_output(value: Any) -> Tensor | None:
    """The tensor that is the answer of a network: itself, the one named as such, else the first of
    floating-point numbers that is more than one number; None where there is none.
    """
    if isinstance(value, Tensor):
        return value if value.is_floating_point() else None
    floating = {
        path: tensor for path, tensor in tensors_of(value).items() if tensor.is_floating_point()
    }
    named = {path.rpartition(".")[2]: tensor for path, tensor in reversed(floating.items())}
    for name in ANSWERS:
        if name in named:
            return named[name]
    return next((t for t in floating.values() if t.ndim), next(iter(floating.values()), None))


def main_target(target: Any, output: Any) -> Tensor | None:
    """The tensor in `target` that the answer in `output` is measured against: that at its path,
    else the first.
    """
    answer, targets = main_output(output), tensors_of(target)
    for path, tensor in tensors_of(output).items():
        if tensor is answer and path in targets:
            return targets[path]
    return next(iter(targets.values()), None)


def first_tensor(value: Any) -> Tensor | None:
    """The first tensor in `value`; None where there is none."""
    if isinstance(value, Tensor):
        return value
    tensors: dict[str, Tensor] = {}
    _collect(value, "", 0, tensors, 1)
    return next(iter(tensors.values()), None)


def map_tensors(function: Callable[[Tensor], Tensor], value: Any, depth: int = 0) -> Any:
    """`value` again, with `function(tensor)` in place of each tensor; what is no structure stays
    what it is.
    """
    if isinstance(value, Tensor):
        return function(value)
    if depth == MAX_DEPTH:
        return value
    if isinstance(value, PackedSequence):
        return value._replace(data=function(value.data))
    parts = {name: map_tensors(function, part, depth + 1) for name, part in _parts(value)}
    if not parts:
        return value
    if isinstance(value, Mapping):
        changed = dict(zip(value, parts.values(), strict=True))
        if type(value) is dict:
            return changed
        # a subclass: some are made of keywords, some of a mapping
        try:
            return type(value)(**changed)
        except TypeError:
            return type(value)(changed)  # type: ignore[call-arg]
    if isinstance(value, tuple):
        return type(value)(*parts.values()) if hasattr(value, "_fields") else tuple(parts.values())
    if isinstance(value, list):
        return list(parts.values())
    made = {field.name for field in dataclasses.fields(value) if field.init}
    return dataclasses.replace(value, **{k: part for k, part in parts.items() if k in made})


def sample_count(value: Any) -> int:
    """How many samples a structure holds: the length of its first tensor that has one; else 0."""
    if isinstance(value, PackedSequence):
        return int(value.batch_sizes[0])
    packed = next((part for _, part in _parts(value) if isinstance(part, PackedSequence)), None)
    if packed is not None:
        return sample_count(packed)
    return next((len(tensor) for tensor in tensors_of(value).values() if tensor.ndim), 0)


def spread_indices(count: int, most: int) -> Tensor:
    """At most `most` of `count` indices, in order: one from each of as many equal stretches, drawn,
    since every second sample of a data set may be of one kind. Always the same.
    """
    if count <= most:
        return torch.arange(count)
    edges = torch.arange(most + 1) * count // most
    drawn = torch.rand(most, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return edges[:-1] + (drawn * edges.diff()).long()


def rows(value: Any, index: Tensor | slice) -> Any:
    """`value` with the samples at `index` only: of each tensor as long as the batch its rows, all
    of any other.
    """
    count = sample_count(value)

    def take(part: Any) -> Any:
        if isinstance(part, PackedSequence):
            padded, lengths = pad_packed_sequence(part, batch_first=True)
            chosen = index.to(padded.device) if isinstance(index, Tensor) else index
            at = index.to(lengths.device) if isinstance(index, Tensor) else index
            return pack_padded_sequence(
                padded[chosen], lengths[at], batch_first=True, enforce_sorted=False
            )
        return map_tensors(
            lambda t: _tensor_rows(t, index) if t.ndim and len(t) == count else t, part
        )

    if isinstance(value, tuple | list) and any(isinstance(p, PackedSequence) for p in value):
        return tuple(take(part) for part in value)
    return take(value)


def _tensor_rows(tensor: Tensor, index: Tensor | slice) -> Tensor:
    """`tensor[index]`, of a sparse one, too."""
    if tensor.layout is torch.strided:
        return tensor[index.to(tensor.device) if isinstance(index, Tensor) else index]
    if isinstance(index, slice):
        index = torch.arange(len(tensor))[index]
    elif index.dtype == torch.bool:
        index = index.nonzero().flatten()
    coordinates: Tensor = tensor.to_sparse_coo()
    return coordinates.index_select(0, index.to(tensor.device))


def to_device(value: Any, device: torch.device | str) -> Any:
    """`value` with its tensors on `device`."""
    if isinstance(value, PackedSequence):
        return value._replace(data=value.data.to(device))
    return map_tensors(lambda t: t.to(device), value)


def joined(first: Any, second: Any) -> Any:
    """The samples of two structures of one form, after each other; None where they do not fit
    together.
    """
    ours, theirs = tensors_of(first), tensors_of(second)
    if ours.keys() != theirs.keys() or isinstance(first, PackedSequence):
        return None
    counts = sample_count(first), sample_count(second)
    pairs = zip(ours.values(), theirs.values(), strict=True)
    if any(
        a.ndim == 0 or len(a) != counts[0] or len(b) != counts[1] or a.shape[1:] != b.shape[1:]
        for a, b in pairs
    ):
        return None
    following = iter(theirs.values())
    return map_tensors(lambda t: torch.cat([t, next(following)]), first)
