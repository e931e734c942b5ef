"""Alterations of a call of one of PyTorch's functions, on one line of the script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from sevensteps.doctor.trials.script.base import UNCHANGED, Intervention
from sevensteps.observe.call_kinds import Noted

OTHERS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "softplus": F.softplus,
}


@dataclass
class CallIntervention(Intervention):
    """Alters the calls of `function` at `place`, as `train.py:41`."""

    function: str
    place: str
    calls_functions: ClassVar[bool] = True
    changes_loss: ClassVar[bool] = True
    step: ClassVar[str] = "loss"

    def call(self, noted: Noted, function: Any, arguments: dict[str, Any], place: str) -> Any:
        if noted.name != self.function or place != self.place:
            return UNCHANGED
        result = self.result(function, arguments)
        self.applied = self.applied or result is not UNCHANGED
        return result

    def result(self, function: Any, arguments: dict[str, Any]) -> Any:
        """What the call gives instead."""
        raise NotImplementedError


@dataclass
class TakeOff(CallIntervention):
    """The call gives back what it is given."""

    def control(self, draw: torch.Generator) -> Intervention | None:
        others = [name for name in OTHERS if name != self.function]
        other = others[int(torch.randint(len(others), (), generator=draw))]
        return Replace(self.function, self.place, other)

    def result(self, function: Any, arguments: dict[str, Any]) -> Any:
        x = arguments.get("input")
        return x if isinstance(x, Tensor) else UNCHANGED


@dataclass
class Replace(CallIntervention):
    """Another function of single numbers is called in its place."""

    by: str

    def control(self, draw: torch.Generator) -> Intervention | None:
        return None

    def result(self, function: Any, arguments: dict[str, Any]) -> Any:
        x = arguments.get("input")
        return OTHERS[self.by](x) if isinstance(x, Tensor) else UNCHANGED
