"""The function mode through which a step's calls of PyTorch go."""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

from torch.overrides import TorchFunctionMode

from sevensteps.observe.call_kinds import ACCESSES, NOTED, Noted
from sevensteps.observe.function_mode import Caller, Callers, calling_frame


class CallListener(Protocol):
    """Who is told of calls: of none while `passive`, within `networks` only of some."""

    passive: bool
    networks: list[str]
    callers: Callers

    def run(
        self,
        noted: Noted | None,
        function: Callable[..., Any],
        caller: Caller,
        frame: FrameType,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Call `function`, and note it."""


class CallMode(TorchFunctionMode):
    """Hands every call on, and tells `recorder` of it."""

    def __init__(self, recorder: CallListener) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        recorder = self.recorder
        frame = calling_frame(2)
        caller = recorder.callers.of(frame)
        noted = NOTED.get(func)
        if (
            recorder.passive
            or caller.ours
            or func in ACCESSES
            or (
                recorder.networks and caller.place is None and (noted is None or not noted.anywhere)
            )
        ):
            # as most calls do, without being noted
            return caller.run(func, args, kwargs or {})
        return recorder.run(noted, func, caller, frame, args, kwargs or {})
