"""PyTorch's stack of function modes: a mode that listens goes in and out wherever others lie, and
every call goes on as if it came from where it came from.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import CodeType, FrameType, FunctionType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode, handle_torch_function

TORCH = os.path.dirname(torch.__file__) + os.sep
DISTRIBUTIONS = os.path.join(TORCH, "distributions") + os.sep
OURS = os.path.dirname(os.path.dirname(__file__)) + os.sep
MAX_CALLERS = 4096  # lines of the training that are remembered
HANDLE: CodeType = handle_torch_function.__code__

Run = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]


def insert_mode(mode: TorchFunctionMode) -> None:
    """Put `mode` at the bottom of this thread's stack: one that was entered before takes itself off
    the top when it ends. Only that of `torch.set_default_device` insists on lying lowest.
    """
    others = [torch._C._pop_torch_function_stack() for _ in range(stack_height())]
    default = getattr(getattr(torch, "_GLOBAL_DEVICE_CONTEXT", None), "device_context", None)
    if others and others[-1] is default:
        torch._C._push_on_torch_function_stack(others.pop())
    torch._C._push_on_torch_function_stack(mode)
    for other in reversed(others):
        torch._C._push_on_torch_function_stack(other)


def remove_mode(mode: TorchFunctionMode) -> bool:
    """Take `mode` out of this thread's stack, wherever it lies. Returns whether it was there."""
    height = stack_height()
    at = [i for i in range(height) if torch._C._get_function_stack_at(i) is mode]
    if not at:
        return False
    above = [torch._C._pop_torch_function_stack() for _ in range(height - at[0])]
    for other in reversed(above[:-1]):
        torch._C._push_on_torch_function_stack(other)
    return True


def stack_height() -> int:
    """How many function modes there are in this thread."""
    height: int = torch._C._len_torch_function_stack()
    return height


def _go_on(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return function(*args, **kwargs)


def is_stand_in(code: CodeType) -> bool:
    """Whether `code` is the one frame of a `Caller` that stands for a place."""
    own = _go_on.__code__
    return code.co_code == own.co_code and code.co_varnames == own.co_varnames


class Caller:
    """A place that calls PyTorch.

    `run(function, args, kwargs)` calls from a frame with the file, line and global names of that
    place: a warning in `function` is then shown, filtered and counted as without a mode between
    them. `place` is the distribution's method that calls ("Categorical.log_prob"), None elsewhere.
    """

    __slots__ = ("code", "line", "ours", "place", "run")

    def __init__(self, frame: FrameType) -> None:
        self.code, self.line = frame.f_code, frame.f_lineno
        path = self.code.co_filename
        self.ours = path.startswith(OURS)
        self.place: str | None = None
        if path.startswith(DISTRIBUTIONS):
            name = self.code.co_qualname
            if name.startswith("_kl_"):
                self.place = "kl_divergence"
            elif name.endswith((".log_prob", ".entropy")):
                self.place = name
        template = _go_on.__code__
        code = template.replace(
            co_filename=path,
            co_name=self.code.co_name,
            co_qualname=self.code.co_qualname,
            co_firstlineno=self.line - 1,  # the call is on the line after the `def`
        )
        self.run: Run = FunctionType(code, frame.f_globals)


class Callers:
    """The places that call PyTorch, each looked at once."""

    def __init__(self) -> None:
        self._callers: dict[tuple[int, int], Caller] = {}
        self._wheres: dict[tuple[int, int], tuple[CodeType, str]] = {}

    def of(self, frame: FrameType) -> Caller:
        """The place where `frame` is now."""
        key = (id(frame.f_code), frame.f_lasti)
        caller = self._callers.get(key)
        if caller is None:
            if len(self._callers) >= MAX_CALLERS:
                self._callers.clear()
            caller = self._callers[key] = Caller(frame)
        return caller

    def run_deep(self, frame: FrameType, depth: int) -> Run:
        """`Caller.run` through the places of `depth` frames, as the function would have been called
        from them.
        """
        runs: list[Run] = []
        walked: FrameType | None = frame
        while walked is not None and len(runs) < depth:
            runs.append(self.of(walked).run)
            walked = walked.f_back

        def run(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            for one in runs[:-1]:
                function, args, kwargs = one, (function, args, kwargs), {}
            return runs[-1](function, args, kwargs)

        return run

    def where(self, frame: FrameType | None) -> str:
        """The first place outside of PyTorch and of this package, as `train.py:41`; "" for none."""
        while frame is not None:
            path = frame.f_code.co_filename
            if not (path.startswith((TORCH, OURS, "<frozen "))):
                key = (id(frame.f_code), frame.f_lasti)
                seen = self._wheres.get(key)
                if seen is None:
                    if len(self._wheres) >= MAX_CALLERS:
                        self._wheres.clear()
                    text = f"{os.path.basename(path)}:{frame.f_lineno}"
                    seen = self._wheres[key] = (frame.f_code, text)
                return seen[1]
            frame = frame.f_back
        return ""


def calling_frame(depth: int) -> FrameType:
    """The frame that called PyTorch, from `depth` frames above this function: past the function of
    PyTorch that asked for the mode, where it is written in Python.
    """
    frame = sys._getframe(depth)
    if frame.f_code is HANDLE and frame.f_back is not None and frame.f_back.f_back is not None:
        return frame.f_back.f_back
    return frame
