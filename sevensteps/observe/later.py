"""What a look copies is measured when somebody asks for it: during the training itself a look
should cost as little as it can.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

T = TypeVar("T")
# bytes of copies that wait to be measured, of all trainings of this process; beyond that the
# oldest are measured at once
MAX_WAITING = 128 << 20
# bytes that one look may leave to be measured later: with more, its step takes so long that
# measuring hardly counts
MAX_LATER = 6 << 20


class LazyDict(Mapping[str, T]):
    """A dictionary that is computed when it is first read, from copies of `size` bytes."""

    def __init__(self, compute: Callable[[], dict[str, T]], size: int = 0) -> None:
        self._compute: Callable[[], dict[str, T]] | None = compute
        self._entries: dict[str, T] = {}
        if size > MAX_LATER:
            self.computed()
        elif size:
            _waiting.add(self, size)

    def computed(self) -> dict[str, T]:
        """The dictionary itself."""
        if self._compute is not None:
            _waiting.remove(id(self))
            with torch.no_grad():
                self._entries, self._compute = self._compute(), None
        return self._entries

    def __getitem__(self, name: str) -> T:
        return self.computed()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.computed())

    def __len__(self) -> int:
        return len(self.computed())


class _Waiting:
    """The dictionaries of this process that wait to be computed, oldest first, and their size."""

    def __init__(self) -> None:
        self.entries: dict[int, tuple[weakref.ref[LazyDict[Any]], int]] = {}
        self.size = 0

    def add(self, one: LazyDict[Any], size: int) -> None:
        """Have `one` wait; compute the oldest where too much waits then."""
        key = id(one)
        self.entries[key] = weakref.ref(one, lambda _: self.remove(key)), size
        self.size += size
        while self.size > MAX_WAITING and self.entries:
            oldest = next(iter(self.entries))
            reference, _ = self.entries[oldest]
            self.remove(oldest)
            if (waiting := reference()) is not None:
                waiting.computed()

    def remove(self, key: int) -> None:
        """What has this id waits no longer."""
        _, size = self.entries.pop(key, (None, 0))
        self.size -= size


_waiting = _Waiting()


class FlatCopies:
    """Copies of many tensors, made in few operations: those of one type and device lie in one
    vector.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        groups: dict[Any, list[str]] = {}
        self._single: dict[str, Tensor] = {}
        self.size = 0  # in bytes
        for name, tensor in tensors.items():
            # a parameter that holds another kind of tensor is of that kind itself
            kind = type(tensor)
            plain = kind is nn.Parameter or kind is Tensor or type(tensor.data) is Tensor
            if plain and tensor.layout is torch.strided:
                groups.setdefault((tensor.dtype, tensor.device), []).append(name)
            else:
                self._single[name] = tensor.detach().clone()
        self.names = list(tensors)
        self._vectors: list[tuple[list[str], list[torch.Size], Tensor]] = []
        with torch.no_grad():
            for names in groups.values():
                parts = [tensors[name] for name in names]
                # of one tensor, PyTorch would give a view
                vector = (
                    torch._C._nn.flatten_dense_tensors(parts)
                    if len(parts) > 1
                    else parts[0].flatten().clone()
                )
                self._vectors.append((names, [part.shape for part in parts], vector))
                self.size += vector.nbytes

    def __bool__(self) -> bool:
        return bool(self.names)

    def tensors(self) -> dict[str, Tensor]:
        """The copies, as views, by name."""
        copies = dict(self._single)
        for names, shapes, vector in self._vectors:
            parts = vector.split([shape.numel() for shape in shapes])
            for name, shape, part in zip(names, shapes, parts, strict=True):
                copies[name] = part.view(shape)
        return {name: copies[name] for name in self.names}


NO_COPIES = FlatCopies({})
