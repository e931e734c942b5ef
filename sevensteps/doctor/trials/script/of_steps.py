"""Alterations of what happens from the gradient to the changed parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sevensteps.doctor.trials.script.base import (
    AlteredTraining,
    Intervention,
    random_direction,
    random_power,
    random_seed,
)
from sevensteps.observe.script.roots import leaves, optimizer_tensors


@dataclass
class LrTimes(Intervention):
    """The learning rate of every step times `factor`, whatever the schedule makes of it."""

    factor: float
    step: ClassVar[str] = "step"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._before: dict[int, list[Any]] = {}

    def control(self, draw: torch.Generator) -> Intervention | None:
        return LrTimes(float(f"{self.factor ** random_power(draw):.3g}"))

    def before_step(self, optimizer: torch.optim.Optimizer, training: AlteredTraining) -> None:
        groups = optimizer.param_groups
        self._before[id(optimizer)] = [group["lr"] for group in groups]
        for group in groups:
            group["lr"] = group["lr"] * self.factor
            self.applied = True

    def after_step(self, optimizer: torch.optim.Optimizer, training: AlteredTraining) -> None:
        before = self._before.pop(id(optimizer), [])
        for group, lr in zip(optimizer.param_groups, before, strict=False):
            group["lr"] = lr


@dataclass
class ClearGradients(Intervention):
    """No gradient is left over from the step before."""

    step: ClassVar[str] = "gradient"

    def control(self, draw: torch.Generator) -> Intervention | None:
        return LeftoverElsewhere(random_seed(draw))

    def after_step(self, optimizer: torch.optim.Optimizer, training: AlteredTraining) -> None:
        for parameter, _ in training.gradients(optimizer):
            parameter.grad = None
            self.applied = True


@dataclass
class LeftoverElsewhere(Intervention):
    """Each gradient is moved as far as `ClearGradients` moves it, but anywhere."""

    seed: int
    step: ClassVar[str] = "gradient"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._draw = torch.Generator().manual_seed(self.seed)
        self._own: dict[Tensor, Tensor] = {}  # gradients at the last step, as the script has them

    def control(self, draw: torch.Generator) -> Intervention | None:
        return None

    def before_step(self, optimizer: torch.optim.Optimizer, training: AlteredTraining) -> None:
        for parameter, gradient in training.gradients(optimizer):
            leftover = self._own.get(parameter)
            self._own[parameter] = gradient.detach().clone()
            if leftover is not None:
                gradient += random_direction(gradient, self._draw, leftover.norm())
                self.applied = True

    def after_step(self, optimizer: torch.optim.Optimizer, training: AlteredTraining) -> None:
        for parameter, gradient in training.gradients(optimizer):
            if (own := self._own.get(parameter)) is not None:
                gradient.copy_(own)


@dataclass
class AddParameters(Intervention):
    """The optimizer is given the parameters that the loss depends on and that it does not have."""

    step: ClassVar[str] = "gradient"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._added: list[Tensor] = []

    def control(self, draw: torch.Generator) -> Intervention | None:
        return AddParametersAtRandom(random_seed(draw))

    def step_ended(self, loss: Tensor, training: AlteredTraining) -> None:
        if self._added or not training.optimizers:
            return
        known = {id(p) for o in training.optimizers.values() for p in optimizer_tensors(o)}
        own = {id(p) for module in training.networks.values() for p in module.parameters()}
        for tensor in leaves(loss):
            trained = isinstance(tensor, nn.Parameter) or id(tensor) in own
            if trained and tensor.requires_grad and id(tensor) not in known:
                self._added.append(tensor)
        if self._added:
            last = next(reversed(training.optimizers.values()))
            last.param_groups[-1]["params"].extend(self._added)
            self.applied = True

    def after_step(self, optimizer: torch.optim.Optimizer, training: AlteredTraining) -> None:
        for tensor in self._added:  # `model.zero_grad()` may not know them
            tensor.grad = None


@dataclass
class Unfreeze(AddParameters):
    """Parameters of these names are trained, too."""

    names: tuple[str, ...]

    def control(self, draw: torch.Generator) -> Intervention | None:
        return None

    def network_known(self, training: AlteredTraining) -> None:
        for network in training.networks.values():
            for name, parameter in network.named_parameters():
                if name in self.names and parameter.is_leaf:
                    parameter.requires_grad_(True)
                    self.applied = True


@dataclass
class AddParametersAtRandom(AddParameters):
    """The same, with gradients of the same length that point anywhere."""

    seed: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self._draw = torch.Generator().manual_seed(self.seed)

    def control(self, draw: torch.Generator) -> Intervention | None:
        return None

    def before_step(self, optimizer: torch.optim.Optimizer, training: AlteredTraining) -> None:
        for tensor in self._added:
            if tensor.grad is not None and not tensor.grad.is_sparse:
                tensor.grad = random_direction(tensor.grad, self._draw, tensor.grad.norm())
