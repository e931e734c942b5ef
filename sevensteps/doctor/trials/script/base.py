"""What an alteration of a script's training from outside may do, and when."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sevensteps.observe.call_kinds import Noted
from sevensteps.observe.script.roots import optimizer_tensors

UNCHANGED: Any = object()  # the answer of `Intervention.call` for a call that stays as it is


@dataclass
class AlteredTraining:
    """The training of a script that is altered.

    `x` are inputs of the network, kept from an untouched run on the same seed; None where it takes
    several.
    """

    networks: dict[str, nn.Module] = field(default_factory=dict)
    optimizers: dict[int, torch.optim.Optimizer] = field(default_factory=dict)
    x: Tensor | None = None

    def gradients(self, optimizer: torch.optim.Optimizer) -> list[tuple[Tensor, Tensor]]:
        """The parameters of an optimizer that have a gradient, each with it."""
        return [
            (p, p.grad)
            for p in optimizer_tensors(optimizer)
            if p.grad is not None and not p.grad.is_sparse
        ]


@dataclass
class Intervention:
    """One thing that is altered in a training, without a change of its script.

    A subclass overrides the moments that it needs, and sets `applied` when it has altered
    something. `step` is the one of the seven that it belongs to. `changes_loss`: the loss then
    measures something else, and two trainings cannot be compared by it.
    """

    step: ClassVar[str]
    changes_loss: ClassVar[bool] = False
    calls_functions: ClassVar[bool] = False  # whether `call` is to be asked

    def __post_init__(self) -> None:
        self.applied = False

    def control(self, draw: torch.Generator) -> Intervention | None:
        """A change at random that is as large at most; None where there is none."""
        raise NotImplementedError

    def source(self, path: str, data: bytes) -> bytes:
        """What the user's file at `path`, where it lies on the disk, says instead of `data`."""
        return data

    def torch_imported(self) -> None:
        """The script has imported PyTorch, and nothing of it has run."""

    def network_known(self, training: AlteredTraining) -> None:
        """One more network of the training is known; it has not been called yet."""

    def before_step(self, optimizer: torch.optim.Optimizer, training: AlteredTraining) -> None:
        """An optimizer is about to step."""

    def after_step(self, optimizer: torch.optim.Optimizer, training: AlteredTraining) -> None:
        """An optimizer has stepped."""

    def step_ended(self, loss: Tensor, training: AlteredTraining) -> None:
        """A step has ended; in the first ones, `loss` still has its graph."""

    def call(self, noted: Noted, function: Any, arguments: dict[str, Any], place: str) -> Any:
        """What a call of one of PyTorch's functions gives instead; `UNCHANGED` for its own."""
        return UNCHANGED


def random_direction(tensor: Tensor, draw: torch.Generator, length: Tensor) -> Tensor:
    """A tensor like `tensor`, of this length, that points anywhere."""
    direction: Tensor = torch.randn(tensor.shape, generator=draw).to(tensor)
    return direction.mul_((length / direction.norm().clamp_min(1e-30)).to(tensor))


def random_power(draw: torch.Generator) -> float:
    """A number between -1 and 1."""
    return float(torch.rand((), generator=draw)) * 2 - 1


def random_seed(draw: torch.Generator) -> int:
    """A seed for what is drawn in the process of the script."""
    return int(torch.randint(2**31, (), generator=draw))


def notation_of(intervention: Intervention, name: str) -> str:
    """An intervention as text: `lr_times(factor=0.1)`."""
    parts = [
        f"{f.name}={getattr(intervention, f.name)!r}"
        for f in dataclasses.fields(intervention)
        if f.init
    ]
    return f"{name}({', '.join(parts)})"
