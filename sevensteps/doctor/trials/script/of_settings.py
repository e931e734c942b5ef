"""Alterations of an optimizer's settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from sevensteps.doctor.trials.script.base import AlteredTraining, Intervention, random_power

DECAYS = ("momentum", "dampening", "betas")  # shares of what was before: 1 minus them is a rate


@dataclass
class SetOption(Intervention):
    """An option of the optimizer is `value` in every step, whatever the script makes of it.

    `before` is what the watched run had; the change at random goes as far from there at most.
    """

    name: str
    value: Any
    before: Any
    step: ClassVar[str] = "step"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._own: dict[int, list[Any]] = {}

    def control(self, draw: torch.Generator) -> Intervention | None:
        power = random_power(draw)
        if isinstance(self.value, tuple):
            pairs = zip(self.before, self.value, strict=True)
            drawn: Any = tuple(self._between(old, new, power) for old, new in pairs)
        else:
            drawn = self._between(self.before, self.value, power)
        return SetOption(self.name, drawn, self.before)

    def _between(self, before: float, value: float, power: float) -> float:
        """`before`, moved as far as `value` lies from it at most, either way."""
        if self.name in DECAYS:
            rate = _moved(1 - before, 1 - value, power)
            return float(f"{1 - min(max(rate, 1e-5), 1.0):.6g}")
        return float(f"{_moved(before, value, power):.3g}")

    def before_step(self, optimizer: torch.optim.Optimizer, training: AlteredTraining) -> None:
        groups = [group for group in optimizer.param_groups if self.name in group]
        self._own[id(optimizer)] = [group[self.name] for group in groups]
        for group in groups:
            group[self.name] = self.value
            self.applied = True

    def after_step(self, optimizer: torch.optim.Optimizer, training: AlteredTraining) -> None:
        groups = [group for group in optimizer.param_groups if self.name in group]
        for group, own in zip(groups, self._own.pop(id(optimizer), []), strict=False):
            group[self.name] = own


def _moved(before: float, value: float, power: float) -> float:
    if before > 0 and value > 0:
        return float(before * (value / before) ** power)
    return before * (1 + power) / 2 + value * (1 - power) / 2
