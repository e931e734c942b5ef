"""Some of the samples that a network was trained on, as it and the loss took them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from sevensteps.observe.structure import (
    first_tensor,
    joined,
    map_tensors,
    rows,
    sample_count,
    settings_of,
    tensors_of,
    to_device,
)

MAX_SAMPLES = 1024
MAX_NUMBERS = 4_000_000  # of one tensor: 16 MB


@dataclass
class Inputs:
    """The arguments of a network: `network(*inputs.args, **inputs.kwargs)`."""

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)


class Samples:
    """Samples of one network. `x` and `y` are the first tensors of inputs and targets; `inputs` and
    `targets` have all of them, of as many samples as could be kept together.

    All come from calls whose other arguments, such as the number of a task, are those of the first.
    """

    def __init__(self, x: Tensor | None = None, y: Tensor | None = None) -> None:
        self.x, self.y = x, y
        self._room: tuple[Tensor, Tensor] | None = None  # of which `x` and `y` are the first rows
        self._joined: tuple[Any, Any] | None = None  # inputs, targets
        self._parts: list[tuple[Any, Any]] = []  # that follow those
        self._part_samples = 0
        self._settings: dict[str, Any] | None = None

    @property
    def full(self) -> bool:
        """Whether there are as many as are kept."""
        return self.x is not None and (
            len(self.x) >= MAX_SAMPLES or self.x.numel() > MAX_NUMBERS - self.x[:1].numel()
        )

    @property
    def inputs(self) -> Inputs | None:
        """The arguments of the network; None where there are none."""
        both = self._structures()
        return None if both is None else Inputs(*both[0])

    @property
    def targets(self) -> Any:
        """The targets of the samples in `inputs`."""
        both = self._structures()
        return None if both is None else both[1]

    def add(self, args: tuple[Any, ...], kwargs: dict[str, Any], target: Any) -> None:
        """Add rows of one batch, until there are `MAX_SAMPLES` or 16 MB of them."""
        x, y = first_tensor((args, kwargs)), first_tensor(target)
        if x is None or not x.ndim or not x.numel() or not self._alike(settings_of((args, kwargs))):
            return
        if len(args) == 1 and args[0] is x and not kwargs and target is y is not None:
            alike = x.layout is y.layout is torch.strided
            if alike and self._add_both(x, y):
                return
        self._add_structures(args, kwargs, target)
        self._add_rows(x, y)

    def _add_both(self, x: Tensor, y: Tensor) -> bool:
        """Add rows of one input and one target, as most networks have, where the same copies are
        good for both forms. Whether they were.
        """
        start = 0 if self.x is None else len(self.x)
        if (
            start != self._part_samples
            or not y.ndim
            or len(x) != len(y)
            or y.numel() > x.numel()
            or x.numel() > MAX_NUMBERS
            or not self._add_rows(x, y)
        ):
            return False
        if self.x is not None and self.y is not None:
            self._parts.append((((self.x[start:],), {}), self.y[start:]))
            self._part_samples = len(self.x)
        return True

    def _add_rows(self, x: Tensor, y: Tensor | None) -> bool:
        """Add to `x` and `y`. Whether there was room."""
        if y is None or not y.ndim or len(x) != len(y):
            return False
        most = min(MAX_SAMPLES, MAX_NUMBERS // max(x.numel() // len(x), 1))
        start = 0 if self.x is None else len(self.x)
        count = min(most - start, max(64, MAX_SAMPLES // 8), len(x))
        if count <= 0:
            return False
        if self.x is None or self.y is None:
            self._room = _room_for(x, most), _room_for(y, most)
        elif self.x.shape[1:] != x.shape[1:] or self.y.shape[1:] != y.shape[1:]:
            return False
        elif self._room is None or any(
            t.dtype != room.dtype for t, room in zip((x, y), self._room, strict=True)
        ):
            self.x = torch.cat([self.x, cpu_copy(x[:count])])
            self.y = torch.cat([self.y, cpu_copy(y[:count])])
            self._room = None
            return True
        assert self._room is not None
        with torch.no_grad():
            for t, room in zip((x, y), self._room, strict=True):
                room[start : start + count] = t[:count]
        self.x, self.y = (room[: start + count] for room in self._room)
        return True

    def _alike(self, settings: dict[str, Any]) -> bool:
        """Whether these arguments are those of the first call."""
        if self._settings is None:
            self._settings = settings
        ours = self._settings
        return ours.keys() == settings.keys() and all(
            setting is ours[path] or _equal(setting, ours[path])
            for path, setting in settings.items()
        )

    def _add_structures(self, args: tuple[Any, ...], kwargs: dict[str, Any], target: Any) -> None:
        tensors = tensors_of((args, kwargs, target))
        count = sample_count((args, kwargs))
        numbers = max(t.numel() // max(count, 1) for t in tensors.values())
        room = min(MAX_SAMPLES, MAX_NUMBERS // max(numbers, 1)) - self._part_samples
        if room <= 0 or count == 0 or any(t.numel() > MAX_NUMBERS for t in tensors.values()):
            return
        target_count = sample_count(target)
        matched = target_count == count
        if self._part_samples and not matched:
            return
        # where only some have targets, as nodes of a graph, no later part is added
        most = room if 0 < target_count < count else max(64, MAX_SAMPLES // 8)
        few = slice(0, min(room, most))
        inputs = to_device(map_tensors(cpu_copy, rows((args, kwargs), few)), "cpu")
        # the targets of these samples, where they are as many
        targets = map_tensors(cpu_copy, rows(target, few) if matched else target)
        self._parts.append((inputs, targets))
        self._part_samples += min(few.stop, count)

    def _structures(self) -> tuple[Any, Any] | None:
        """Inputs and targets of all parts that fit together."""
        for part in self._parts:
            both = part if self._joined is None else joined(self._joined, part)
            self._joined = self._joined if both is None else both
        self._parts.clear()
        return self._joined


def _equal(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except Exception:  # arrays, and what cannot be compared
        return False


def _room_for(tensor: Tensor, count: int) -> Tensor:
    return tensor.detach().new_empty((count, *tensor.shape[1:]), device="cpu")


def cpu_copy(tensor: Tensor) -> Tensor:
    """A copy on the CPU, without its graph."""
    return tensor.detach().to("cpu", copy=True)
