"""Alterations of a call of one of PyTorch's functions, on one line of the script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from sevensteps.doctor.trials.script.base import (
    UNCHANGED,
    Intervention,
    random_power,
    random_seed,
)
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


@dataclass
class Insert(CallIntervention):
    """The loss is given `by` of its input."""

    by: str

    def control(self, draw: torch.Generator) -> Intervention | None:
        others = list(OTHERS)
        other = others[int(torch.randint(len(others), (), generator=draw))]
        return Insert(self.function, self.place, other)

    def result(self, function: Any, arguments: dict[str, Any]) -> Any:
        x = arguments.get("input")
        if not isinstance(x, Tensor):
            return UNCHANGED
        before = {
            "log_softmax": lambda x: x.log_softmax(-1 if x.ndim == 2 else 1),
            "log": lambda x: x.clamp_min(1e-12).log(),
            **OTHERS,
        }[self.by]
        return function(**{**_given(arguments), "input": before(x)})


@dataclass
class ReshapeTarget(CallIntervention):
    """What the output is compared with gets the output's shape."""

    def control(self, draw: torch.Generator) -> Intervention | None:
        return ReshapeTargetAtRandom(self.function, self.place, random_seed(draw))

    def result(self, function: Any, arguments: dict[str, Any]) -> Any:
        x = arguments.get("input")
        name = "target" if "target" in arguments else "other"
        target = arguments.get(name)
        if not isinstance(x, Tensor) or not isinstance(target, Tensor):
            return UNCHANGED
        if x.numel() != target.numel() or x.shape == target.shape:
            return UNCHANGED
        if target.requires_grad and not x.requires_grad:  # the target stands first
            arguments = {**arguments, "input": self._ordered(x).reshape(target.shape)}
        else:
            arguments = {**arguments, name: self._ordered(target).reshape(x.shape)}
        if name == "target":
            return function(**_given(arguments))
        return function(arguments["input"], arguments["other"])

    def _ordered(self, target: Tensor) -> Tensor:
        return target


@dataclass
class NoteComparison(CallIntervention):
    """Changes nothing, and tells `compared(output, target)` of what the call compares."""

    compared: Callable[[Tensor, Tensor], None]

    def result(self, function: Any, arguments: dict[str, Any]) -> Any:
        x, target = arguments.get("input"), arguments.get("target", arguments.get("other"))
        if isinstance(x, Tensor) and isinstance(target, Tensor) and x.numel() == target.numel():
            self.compared(*((target, x) if target.requires_grad else (x, target)))
        return UNCHANGED


@dataclass
class ReshapeTargetAtRandom(ReshapeTarget):
    """The same, in an order drawn at random."""

    seed: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self._draw = torch.Generator().manual_seed(self.seed)

    def control(self, draw: torch.Generator) -> Intervention | None:
        return None

    def _ordered(self, target: Tensor) -> Tensor:
        order = torch.randperm(target.numel(), generator=self._draw).to(target.device)
        return target.reshape(-1)[order]


@dataclass
class IgnoreClass(CallIntervention):
    """Targets of class `index` do not count in the loss."""

    index: int

    def control(self, draw: torch.Generator) -> Intervention | None:
        return IgnoreShare(self.function, self.place, self.index, random_seed(draw))

    def result(self, function: Any, arguments: dict[str, Any]) -> Any:
        target = arguments.get("target")
        if not isinstance(target, Tensor) or target.is_floating_point():
            return UNCHANGED
        target = target.masked_fill(self._ignored(target), arguments.get("ignore_index", -100))
        return function(**_given({**arguments, "target": target}))

    def _ignored(self, target: Tensor) -> Tensor:
        return target == self.index


@dataclass
class IgnoreShare(IgnoreClass):
    """As many targets do not count, drawn at random."""

    seed: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self._draw = torch.Generator().manual_seed(self.seed)

    def control(self, draw: torch.Generator) -> Intervention | None:
        return None

    def _ignored(self, target: Tensor) -> Tensor:
        share = float((target == self.index).double().mean())
        return torch.rand(target.shape, generator=self._draw).to(target.device) < share


@dataclass
class LossTimes(CallIntervention):
    """One term of the loss times `factor`."""

    factor: float

    def control(self, draw: torch.Generator) -> Intervention | None:
        factor = float(f"{self.factor ** random_power(draw):.3g}")
        return LossTimes(self.function, self.place, factor)

    def result(self, function: Any, arguments: dict[str, Any]) -> Any:
        return function(**_given(arguments)) * self.factor


def _given(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a loss as keywords, without those that PyTorch no longer takes."""
    return {name: value for name, value in arguments.items() if name not in OBSOLETE}


OBSOLETE = ("size_average", "reduce")
