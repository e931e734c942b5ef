"""What `torch.compile` was called on in this process, and which of it a training runs.

PyTorch compiles a function again where it is called under another function mode, or with other
global hooks on modules, than it was compiled with. A watch has both, so that it must know which
compiled functions a step runs before it listens to a step.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import CodeType
from typing import Any

import torch
from torch import nn

from sevensteps.observe.network_facts import bare_module

TRIAL_STEPS = 2  # that are looked at without listening, to see which compiled functions run
MAX_NAMES = 4  # of functions in one sentence
TORCH = os.path.dirname(torch.__file__) + os.sep
OPTIMIZERS = TORCH + "optim" + os.sep
# PyTorch's own functions that stand for a module that was compiled as a whole
OF_MODULES = ("_call_impl", "_wrapped_call_impl", "inner")
# what every compiled function calls just before it runs, with its compiler
ENTRY = "_callback_from_stance"


class CompiledCode:
    """What is compiled of a training: `look_around(networks)` at the beginning of a step that is
    looked at, `look_away()` at its end.

    `modules` are the parts of the networks that are compiled, by id: their class. `functions` are
    the names of the compiled functions that ran in a step. `optimizer` says whether the step of an
    optimizer is compiled itself; `in_optimizer` is to say whether one that is not changes the
    parameters now: by then nothing listens.
    """

    def __init__(self) -> None:
        self.modules: dict[int, str] = {}
        self.functions: dict[str, None] = {}
        self.optimizer = False
        self.in_optimizer = False
        self._trial = False
        self._count = 0  # of compiled functions at the last look
        self._inside: set[int] = set()  # modules in compiled ones
        self._steps = 0
        self._original: Callable[..., Any] | None = None

    @property
    def blind(self) -> bool:
        """Whether nothing is to listen: compiled functions run in a step, or may."""
        runs = self.optimizer or bool(self.functions)
        return self._trial or runs or len(compiled_codes()) != self._count

    @property
    def why(self) -> str:
        """What cannot be seen, and why; "" where everything can."""
        if self.functions or self.optimizer:
            names = ", ".join(list(self.functions)[:MAX_NAMES]) or "an optimizer's step"
            return (
                f"{self._unseen}: a step runs what torch.compile compiled ({names}), which would "
                "be compiled again for a listener"
            )
        if self.blind:
            return (
                f"{self._unseen}, in the first steps: torch.compile was called on functions, and "
                "it had to be seen first whether a step runs one"
            )
        if self.modules:
            inside = ", ".join(dict.fromkeys(self.modules.values()))
            return f"the layers inside of what torch.compile compiled ({inside})"
        return ""

    @property
    def _unseen(self) -> str:
        updates = "what the optimizer changes, " if self.optimizer else ""
        return f"{updates}inputs, outputs and layers of the network, and calls of functions"

    def look_around(self, networks: Mapping[str, nn.Module]) -> None:
        """A step begins: see what is compiled by now."""
        codes = compiled_codes()
        self._count = len(codes)
        self.in_optimizer = False
        if not codes:
            self.modules, self._trial, self.optimizer = {}, False, False
            return
        self.optimizer = any(code.co_filename.startswith(OPTIMIZERS) for code in codes)
        self.modules = compiled_modules(networks)
        self._inside = {
            id(part)
            for network in networks.values()
            for module in network.modules()
            if id(module) in self.modules
            for part in (module, *bare_module(module).modules())
        }
        alone = bool(self.modules) and all(map(stands_for_module, codes))
        self._trial = not alone and (not self._listen() or self._steps < TRIAL_STEPS)
        self._steps += 1

    def look_away(self) -> None:
        """The step has ended."""
        if self._original is None:
            return
        frames: Any = sys.modules.get("torch._dynamo.eval_frame")
        if getattr(getattr(frames, ENTRY, None), "__self__", None) is self:
            setattr(frames, ENTRY, self._original)
            self._original = None

    def _listen(self) -> bool:
        """Be told of each compiled function that is called; whether that is possible."""
        frames: Any = sys.modules.get("torch._dynamo.eval_frame")
        entry = getattr(frames, ENTRY, None)
        if self._original is None and inspect.isfunction(entry):
            self._original = entry
            setattr(frames, ENTRY, self._enters)
        return self._original is not None

    def _enters(self, compiler: Any, *more: Any) -> Any:
        if callable(compiler):  # None of what is never compiled
            with suppress(Exception):
                self._note(sys._getframe(1).f_locals.get("fn"))
        assert self._original is not None
        return self._original(compiler, *more)

    def _note(self, function: Any) -> None:
        """A compiled function is about to run."""
        if self.in_optimizer:
            return
        target = inspect.unwrap(function)
        owner = target if isinstance(target, nn.Module) else getattr(target, "__self__", None)
        if isinstance(owner, nn.Module):
            if id(owner) not in self._inside:
                self.functions.setdefault(type(owner).__name__)
            return
        code: CodeType | None = getattr(target, "__code__", None)
        file = "" if code is None else f" in {Path(code.co_filename).name}"
        self.functions.setdefault(f"{getattr(target, '__name__', 'a function')}{file}")


def compiled_codes() -> list[CodeType]:
    """The code of all functions that `torch.compile` was called on and that are still there."""
    frames: Any = sys.modules.get("torch._dynamo.eval_frame")
    codes = getattr(frames, "always_optimize_code_objects", None)
    references = list(getattr(codes, "refs", {}).values())
    return [code for reference in references if (code := reference()) is not None]


def stands_for_module(code: CodeType) -> bool:
    """Whether a compiled code is PyTorch's own way into a module."""
    return code.co_filename.startswith(TORCH) and code.co_name in OF_MODULES


def compiled_modules(networks: Mapping[str, nn.Module]) -> dict[int, str]:
    """The modules in `networks` that `torch.compile` has compiled: id -> class."""
    return {
        id(module): type(bare_module(module)).__name__
        for network in networks.values()
        for module in network.modules()
        if type(module).__name__ == "OptimizedModule"
        or vars(module).get("_compiled_call_impl") is not None
        or hasattr(module.forward, "_torchdynamo_orig_callable")
    }
