"""Alterations of a network: of what it is given, and of what it starts with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sevensteps.doctor.trials.script.base import (
    AlteredTraining,
    Intervention,
    random_power,
    random_seed,
)


class Rescale:
    """A hook before a network's forward pass: its first tensor x becomes (x - offset) / scale.

    `offset` and `scale` have a number for each feature of the last axis, or for each channel of
    images.
    """

    def __init__(self, offset: Tensor, scale: Tensor) -> None:
        self.offset, self.scale = offset, scale

    def __call__(self, module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if not arguments or not isinstance(arguments[0], Tensor):
            return None
        x = arguments[0]
        if not x.is_floating_point() or x.ndim != self.offset.ndim:
            return None
        return ((x - self.offset.to(x)) / self.scale.to(x), *arguments[1:])


def mean_and_spread(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of inputs `[N, F]` or `[N, T, F]` for each feature, of images
    `[N, C, ...]` for each channel, in a shape that broadcasts; 1 where nothing varies.
    """
    over = [0] if x.ndim < 3 else [0, 1] if x.ndim == 3 else [0, *range(2, x.ndim)]
    values = x.double()
    spread = values.std(over, correction=0, keepdim=True)
    varies = values.amax(over, keepdim=True) > values.amin(over, keepdim=True)
    return values.mean(over, keepdim=True), torch.where(varies, spread, 1.0)


@dataclass
class StandardizeInputs(Intervention):
    """The network's inputs get mean 0 and standard deviation 1, in training and in evaluation."""

    step: ClassVar[str] = "repeat"

    def control(self, draw: torch.Generator) -> Intervention | None:
        return RescaleInputs(random_seed(draw))

    def network_known(self, training: AlteredTraining) -> None:
        x = training.x
        if x is None or not x.is_floating_point() or x.ndim < 2 or self.applied:
            return
        offset, scale = self._rescaling(*mean_and_spread(x))
        network = next(iter(training.networks.values()))
        network.register_forward_pre_hook(Rescale(offset.float(), scale.float()))
        self.applied = True

    def _rescaling(self, mean: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
        return mean, spread


@dataclass
class RescaleInputs(StandardizeInputs):
    """Each input is moved and scaled as far at most, in a direction drawn at random."""

    seed: int

    def control(self, draw: torch.Generator) -> Intervention | None:
        return None

    def _rescaling(self, mean: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
        draw = torch.Generator().manual_seed(self.seed)
        move, power = random_power(draw), random_power(draw)
        return mean * move, spread**power
