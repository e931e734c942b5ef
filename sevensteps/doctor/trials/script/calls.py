"""Calls of PyTorch's functions in a trial, which interventions may answer themselves."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from torch.overrides import TorchFunctionMode

from sevensteps.doctor.trials.script.base import UNCHANGED, Intervention
from sevensteps.observe.call_kinds import NOTED
from sevensteps.observe.function_mode import Callers


class CallMode(TorchFunctionMode):
    """Asks interventions of each call of a function that is known by name."""

    def __init__(self, interventions: Sequence[Intervention]) -> None:
        super().__init__()
        self.interventions = [i for i in interventions if i.calls_functions]
        self._callers = Callers()

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        noted = NOTED.get(function)
        if noted is not None:
            place = self._callers.where(sys._getframe(1))
            arguments = noted.bind(args, kwargs)
            for intervention in self.interventions:
                result = intervention.call(noted, function, arguments, place)
                if result is not UNCHANGED:
                    return result
        return function(*args, **kwargs)
