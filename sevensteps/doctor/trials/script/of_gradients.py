"""Alterations of gradients on their way from the backward pass to the step."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
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


@dataclass
class ClipGradients(Intervention):
    """The gradient of all parameters of an optimizer is `norm` long at most."""

    norm: float
    step: ClassVar[str] = "gradient"

    def control(self, draw: torch.Generator) -> Intervention | None:
        return ClipGradients(float(f"{self.norm * 10 ** random_power(draw):.3g}"))

    def before_step(self, optimizer: torch.optim.Optimizer, training: AlteredTraining) -> None:
        parameters = [parameter for parameter, _ in training.gradients(optimizer)]
        if parameters:
            nn.utils.clip_grad_norm_(parameters, self.norm)
            self.applied = True


@dataclass
class NoClipping(Intervention):
    """The script's own clipping of gradients lets them as they are."""

    step: ClassVar[str] = "gradient"
    factor: ClassVar[float] = math.inf  # of the script's limit

    def control(self, draw: torch.Generator) -> Intervention | None:
        return ClippingTimes(float(f"{10 ** random_power(draw):.3g}"))

    def torch_imported(self) -> None:
        norm, value = nn.utils.clip_grad_norm_, nn.utils.clip_grad_value_

        @functools.wraps(norm)
        def clip_norm(parameters: Any, max_norm: float, *arguments: Any, **named: Any) -> Tensor:
            self.applied = True
            return norm(parameters, max_norm * self.factor, *arguments, **named)

        @functools.wraps(value)
        def clip_value(parameters: Any, clip_value: float, *arguments: Any, **named: Any) -> None:
            self.applied = True
            value(parameters, clip_value * self.factor, *arguments, **named)

        for owner in (nn.utils, nn.utils.clip_grad):
            vars(owner).update(clip_grad_norm_=clip_norm, clip_grad_value_=clip_value)


@dataclass
class ClippingTimes(NoClipping):
    """The limit of the script's own clipping times `factor`."""

    factor: float  # type: ignore[misc]

    def control(self, draw: torch.Generator) -> Intervention | None:
        return None


@dataclass
class KeepGradients(Intervention):
    """Gradients are cleared only where they have been used: after a step."""

    step: ClassVar[str] = "gradient"

    def control(self, draw: torch.Generator) -> Intervention | None:
        return StepElsewhere(random_seed(draw))

    def torch_imported(self) -> None:
        for owner in (torch.optim.Optimizer, nn.Module):
            clear: Callable[..., None] = owner.zero_grad
            owner.zero_grad = self._not_by_the_script(clear)  # type: ignore[method-assign]

    def _not_by_the_script(self, clear: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(clear)
        def zero_grad(owner: Any, *arguments: Any, **named: Any) -> None:
            self.applied = True  # after each step they are cleared anyway

        return zero_grad

    def after_step(self, optimizer: torch.optim.Optimizer, training: AlteredTraining) -> None:
        for parameter, _ in training.gradients(optimizer):
            parameter.grad = None


@dataclass
class FlipSign(Intervention):
    """Each step goes the other way."""

    step: ClassVar[str] = "loss"
    changes_loss: ClassVar[bool] = True  # a loss that is to grow is no error

    def control(self, draw: torch.Generator) -> Intervention | None:
        return StepElsewhere(random_seed(draw))

    def before_step(self, optimizer: torch.optim.Optimizer, training: AlteredTraining) -> None:
        for _, gradient in training.gradients(optimizer):
            gradient.neg_()
            self.applied = True

    def after_step(self, optimizer: torch.optim.Optimizer, training: AlteredTraining) -> None:
        for _, gradient in training.gradients(optimizer):
            gradient.neg_()


@dataclass
class StepElsewhere(Intervention):
    """Each gradient keeps its length and points anywhere."""

    seed: int
    step: ClassVar[str] = "gradient"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._draw = torch.Generator().manual_seed(self.seed)

    def control(self, draw: torch.Generator) -> Intervention | None:
        return None

    def before_step(self, optimizer: torch.optim.Optimizer, training: AlteredTraining) -> None:
        for _, gradient in training.gradients(optimizer):
            gradient.copy_(random_direction(gradient, self._draw, gradient.norm()))
            self.applied = True
