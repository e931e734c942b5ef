"""The step of an optimizer as machine code takes it: its number, options and memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

Options = Callable[[Mapping[str, Any]], list[float]]
# by the numbers that updates.py has for them: how torch.optim calls what each keeps for a parameter
OPTIMIZERS: dict[Any, tuple[Options, tuple[str, ...], bool]] = {
    torch.optim.SGD: (
        lambda o: [o["momentum"], o["nesterov"], o["weight_decay"]],
        ("momentum_buffer",),
        False,
    ),
    torch.optim.Adam: (
        lambda o: [*o["betas"], o["eps"], o["weight_decay"]],
        ("exp_avg", "exp_avg_sq"),
        True,
    ),
    torch.optim.AdamW: (
        lambda o: [*o["betas"], o["eps"], o["weight_decay"]],
        ("exp_avg", "exp_avg_sq"),
        True,
    ),
    torch.optim.RMSprop: (
        lambda o: [o["alpha"], o["eps"], o["momentum"], o["weight_decay"]],
        ("square_avg", "momentum_buffer"),
        True,
    ),
    torch.optim.Adagrad: (lambda o: [o["eps"], o["weight_decay"]], ("sum",), True),
}


class StepValue(Protocol):
    """What is asked of a value of step 5."""

    def options(self) -> dict[str, Any]: ...

    @property
    def torch_class(self) -> Callable[..., torch.optim.Optimizer]: ...


class Memory(Protocol):
    """What is asked of an optimizer at work: what it keeps from step to step, by torch's names."""

    memory: MutableMapping[str, Any]


@dataclass
class CompiledUpdate:
    """One optimizer at work: its number `kind` in `updates.py`, its `options`, and the `memory` of
    its `Stepper`, which it shares.
    """

    kind: int
    options: list[float]
    names: tuple[str, ...]
    counts: bool
    memory: MutableMapping[str, Any]

    def step(self, steps: Any, parameters: Tensor, clip: float | None) -> Any:
        """The `steps.Step` for parameters [P], with the optimizer's memory as it is now."""
        number = parameters.numpy().dtype
        kept = [self._kept(name, parameters).numpy() for name in self.names]
        kept += [np.zeros(0, number)] * (2 - len(kept))
        taken = int(self._count()) if self.counts else 0
        return steps.Step(
            self.kind, np.array(self.options, np.float64), *kept, taken, float(clip or 0)
        )

    def count(self, steps: int) -> None:
        """Add to the number of steps taken, which some optimizers keep."""
        if self.counts:
            self._count().add_(steps)

    def _kept(self, name: str, parameters: Tensor) -> Tensor:
        """The memory of this name, made where it is not there; nothing where it is not needed."""
        if name == "momentum_buffer" and not self._momentum():
            return parameters.new_zeros(0)
        if self.memory.get(name) is None:
            self.memory[name] = torch.zeros_like(parameters)
        tensor: Tensor = self.memory[name]
        return tensor

    def _momentum(self) -> bool:
        return bool(self.options[0 if self.names[0] == "momentum_buffer" else 2])

    def _count(self) -> Tensor:
        if "step" not in self.memory:
            self.memory["step"] = torch.zeros((), dtype=torch.float32)
        tensor: Tensor = self.memory["step"]
        return tensor


def compiled_update(step: StepValue, stepper: Memory) -> CompiledUpdate | None:
    """The step of a value of step 5 as machine code, over the memory of its `stepper`; None where
    it is an optimizer that is not written here.
    """
    torch_class = step.torch_class
    torch_class = getattr(torch_class, "func", torch_class)  # without the arguments bound to it
    if torch_class not in OPTIMIZERS:
        return None
    options, names, counts = OPTIMIZERS[torch_class]
    kind = list(OPTIMIZERS).index(torch_class)
    numbers = [float(number) for number in options(step.options())]
    return CompiledUpdate(kind, numbers, names, counts, stepper.memory)
