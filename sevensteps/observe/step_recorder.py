"""What everything that watches one step from inside has in common."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import unserializable_hook

from sevensteps.observe.look import Look


class StepRecorder:
    """Records something of one step of a training. `StepHooks` tells it what happens, in the order
    of the methods below; each does nothing unless a recorder has its own.

    A network is a watched module as a whole, a layer one of the modules in it. Of forward passes,
    those with gradients are told, but for `network_evaluates`. `cost` counts the seconds spent in
    hooks that a recorder registers itself, made by `guarded`.
    """

    def __init__(self) -> None:
        self.cost = 0.0
        # what becomes of an exception in a hook: raised, until a watcher has it handled
        self.failed: Callable[[Exception], None] = raised

    def arm(self) -> None:
        """A step begins that is looked at: forget the one before."""

    def network_enters(
        self, network: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """The forward pass of `network` begins, with these arguments."""

    def layer_enters(
        self, network: str, layer: str, module: nn.Module, args: tuple[Any, ...]
    ) -> None:
        """A layer of `network` begins."""

    def layer_returns(
        self, network: str, layer: str, module: nn.Module, args: tuple[Any, ...], output: Any
    ) -> None:
        """A layer of `network` has computed `output`."""

    def network_returns(self, network: str, module: nn.Module, output: Any) -> None:
        """The forward pass of `network` ends, with this output."""

    def network_evaluates(
        self, network: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """A forward pass of `network` without gradients begins."""

    def optimizer_steps(
        self, optimizer: torch.optim.Optimizer | None, *, closure: bool = False
    ) -> None:
        """An optimizer is about to change the parameters (None: one that is not PyTorch's).

        With `closure`, it computes the gradients itself first.
        """

    def optimizer_stepped(self, optimizer: torch.optim.Optimizer | None) -> None:
        """An optimizer has changed the parameters; not told of one that is not PyTorch's."""

    def collect(self, look: Look, loss: Any, target: Any) -> None:
        """The step has ended with this loss and target: write what was seen into `look`."""

    def disarm(self) -> None:
        """Remove hooks of one's own, and let go of all tensors. May be called at any time."""

    def guarded(self, hook: Callable[..., None]) -> Callable[..., None]:
        """`hook` as PyTorch may call it: its time is counted in `cost`, what it raises goes to
        `failed`.
        """

        def guarded_hook(*arguments: Any) -> None:
            if _silence:
                return
            began = time.perf_counter()
            try:
                with torch._C.DisableTorchFunction():
                    hook(*arguments)
            except Exception as failure:  # whatever goes wrong in here, the training goes on
                self.failed(failure)
            self.cost += time.perf_counter() - began

        guarded_hook.ours = True  # type: ignore[attr-defined]
        # or PyTorch would warn where a parameter is handed to another process
        return unserializable_hook(guarded_hook)  # type: ignore[no-any-return]


# not empty while a gradient is computed that is our own, and no part of the training
_silence: list[None] = []


@contextmanager
def silent_hooks() -> Iterator[None]:
    """While this lasts, hooks made by `guarded` do nothing."""
    _silence.append(None)
    try:
        yield
    finally:
        _silence.pop()


def has_foreign_hooks(tensor: Tensor) -> bool:
    """Whether somebody else has put a hook on the gradient of `tensor`."""
    return any(not hasattr(hook, "ours") for hook in (tensor._backward_hooks or {}).values())


def raised(failure: Exception) -> None:
    """Raise `failure`."""
    raise failure
