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


@dataclass
class Samples:
    """Samples of one network. `x` and `y` are the first tensors of inputs and targets; `inputs` and
    `targets` have all of them, of as many samples as could be kept together.
    """

    x: Tensor | None = None
    y: Tensor | None = None
    inputs: Inputs | None = None
    targets: Any = None

    @property
    def full(self) -> bool:
        """Whether there are as many as are kept."""
        return self.x is not None and (
            len(self.x) >= MAX_SAMPLES or self.x.numel() > MAX_NUMBERS - self.x[:1].numel()
        )

    def add(self, args: tuple[Any, ...], kwargs: dict[str, Any], target: Any) -> None:
        """Add rows of one batch, until there are `MAX_SAMPLES` or 16 MB of them."""
        x, y = first_tensor((args, kwargs)), first_tensor(target)
        if x is None or not x.ndim or not x.numel():
            return
        self._add_structures(args, kwargs, target)
        if y is None or not y.ndim or len(x) != len(y):
            return
        room = min(MAX_SAMPLES, MAX_NUMBERS // max(x.numel() // len(x), 1)) - (
            0 if self.x is None else len(self.x)
        )
        count = min(room, max(64, MAX_SAMPLES // 8))
        if count <= 0:
            return
        new_x, new_y = cpu_copy(x[:count]), cpu_copy(y[:count])
        if self.x is None or self.y is None:
            self.x, self.y = new_x, new_y
        elif new_x.shape[1:] == self.x.shape[1:] and new_y.shape[1:] == self.y.shape[1:]:
            self.x, self.y = torch.cat([self.x, new_x]), torch.cat([self.y, new_y])

    def _add_structures(self, args: tuple[Any, ...], kwargs: dict[str, Any], target: Any) -> None:
        together = (args, kwargs, target)
        tensors = tensors_of(together)
        count = sample_count((args, kwargs))
        have = 0 if self.inputs is None else sample_count((self.inputs.args, self.inputs.kwargs))
        numbers = max(t.numel() // max(count, 1) for t in tensors.values())
        room = min(MAX_SAMPLES, MAX_NUMBERS // max(numbers, 1)) - have
        if room <= 0 or count == 0 or any(t.numel() > MAX_NUMBERS for t in tensors.values()):
            return
        few = slice(0, min(room, max(64, MAX_SAMPLES // 8)))
        inputs = to_device(map_tensors(cpu_copy, rows((args, kwargs), few)), "cpu")
        # the targets of these samples, where they are as many
        matched = sample_count(target) == count
        targets = map_tensors(cpu_copy, rows(target, few) if matched else target)
        if self.inputs is None:
            self.inputs, self.targets = Inputs(*inputs), targets
        elif matched:
            both = joined((self.inputs.args, self.inputs.kwargs, self.targets), (*inputs, targets))
            if both is not None:
                self.inputs, self.targets = Inputs(both[0], both[1]), both[2]


def cpu_copy(tensor: Tensor) -> Tensor:
    """A copy on the CPU, without its graph."""
    return tensor.detach().to("cpu", copy=True)
