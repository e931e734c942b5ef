"""One set of hooks for everything that watches a step: PyTorch's global ones, filtered.

Nothing is put on the networks, layers and optimizers themselves, so that saving, pickling and
copying them gives what it gives without hooks.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from sevensteps.observe.network_facts import refuses_hooks, watched_modules
from sevensteps.observe.step_recorder import StepRecorder, raised


class StepHooks:
    """Tells `recorders` what `networks` and `optimizers` do, from `register()` to `remove()`.

    An exception in a recorder goes to `failed`, never to the training. `cost` counts the seconds
    spent in here.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        optimizers: Sequence[torch.optim.Optimizer],
        recorders: Sequence[StepRecorder],
        failed: Callable[[Exception], None] = raised,
    ) -> None:
        self.networks, self.optimizers, self.recorders = networks, optimizers, recorders
        self.failed = failed
        self.cost = 0.0
        self.armed = False
        self._handles: list[Any] = []
        for recorder in recorders:
            recorder.failed = failed

    def __enter__(self) -> Self:
        for recorder in self.recorders:
            recorder.arm()
        self.register()
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def register(self) -> None:
        """Register the hooks, for the modules that the networks have now."""
        if self.armed:
            return
        self._roots = {id(module): name for name, module in self.networks.items()}
        self._layers: dict[int, tuple[str, str]] = {}
        for network, module in self.networks.items():
            if not refuses_hooks(module):
                for layer, part in watched_modules(module):
                    self._layers.setdefault(id(part), (network, layer))
        self._optimizers = {id(optimizer) for optimizer in self.optimizers}
        self._handles = [
            *self._watch_calls(),
            register_optimizer_step_pre_hook(self._optimizer_steps),
            register_optimizer_step_post_hook(self._optimizer_stepped),
        ]
        self.armed = True

    def _watch_calls(self) -> list[Any]:
        """Notice what the modules compute; of networks with compiled parts, as a whole only: for a
        hook on all modules PyTorch would compile them anew.
        """
        if not any(map(has_compiled_parts, self.networks.values())):
            return [
                register_module_forward_pre_hook(self._module_enters),
                register_module_forward_hook(self._module_returns),
            ]
        self._layers = {}
        kinds = {type(module) for module in self.networks.values()}
        return [CallsOfClass(kind, self._module_enters, self._module_returns) for kind in kinds]

    def remove(self) -> None:
        """Remove the hooks. May be called at any time."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self.armed = False

    # -- hooks -------------------------------------------------------------------------------------

    def _module_enters(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        network, layer = self._roots.get(id(module)), self._layers.get(id(module))
        if (network is None and layer is None) or is_transformed():
            return
        began = time.perf_counter()
        try:
            if network is not None:
                kwargs = keywords_of_call()
                for recorder in self.recorders:
                    if torch.is_grad_enabled():
                        recorder.network_enters(network, module, args, kwargs)
                    else:
                        recorder.network_evaluates(network, module, args, kwargs)
            if layer is not None and torch.is_grad_enabled():
                for recorder in self.recorders:
                    recorder.layer_enters(*layer, module, args)
        except Exception as failure:  # whatever goes wrong in here, the training goes on
            self.failed(failure)
        self.cost += time.perf_counter() - began

    def _module_returns(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        network, layer = self._roots.get(id(module)), self._layers.get(id(module))
        if (network is None and layer is None) or not torch.is_grad_enabled() or is_transformed():
            return
        began = time.perf_counter()
        try:
            for recorder in self.recorders:
                if layer is not None:
                    recorder.layer_returns(*layer, module, args, output)
                if network is not None:
                    recorder.network_returns(network, module, output)
        except Exception as failure:
            self.failed(failure)
        self.cost += time.perf_counter() - began

    def _optimizer_steps(
        self, optimizer: torch.optim.Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        if id(optimizer) in self._optimizers:
            closure = kwargs.get("closure", args[1] if len(args) > 1 else None)
            self.optimizer_steps(optimizer, closure=callable(closure))

    def optimizer_steps(
        self, optimizer: torch.optim.Optimizer | None, *, closure: bool = False
    ) -> None:
        """Tell the recorders that `optimizer` is about to change the parameters."""
        began = time.perf_counter()
        try:
            for recorder in self.recorders:
                recorder.optimizer_steps(optimizer, closure=closure)
        except Exception as failure:
            self.failed(failure)
        self.cost += time.perf_counter() - began

    def _optimizer_stepped(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        if id(optimizer) not in self._optimizers:
            return
        began = time.perf_counter()
        try:
            for recorder in self.recorders:
                recorder.optimizer_stepped(optimizer)
        except Exception as failure:
            self.failed(failure)
        self.cost += time.perf_counter() - began


class CallsOfClass:
    """Tells of the calls of all modules of one class, from now until `remove()`, without hooks."""

    def __init__(
        self, kind: type[nn.Module], enters: Callable[..., None], returns: Callable[..., None]
    ) -> None:
        self._kind: Any = kind
        self._own: Any = vars(kind).get("__call__")
        before: Any = self._own or kind.__call__

        def __call__(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            enters(module, args)
            output = before.__get__(module, type(module))(*args, **kwargs)
            returns(module, args, output)
            return output

        self._call = __call__
        self._kind.__call__ = __call__  # type: ignore[method-assign]

    def remove(self) -> None:
        """Put back what was there."""
        if vars(self._kind).get("__call__") is not self._call:
            return
        if self._own is None:
            del self._kind.__call__
        else:
            self._kind.__call__ = self._own


def has_compiled_parts(network: nn.Module) -> bool:
    """Whether `torch.compile` or `module.compile()` has compiled something in `network`."""
    return any(
        type(part).__name__ == "OptimizedModule"
        or getattr(part, "_compiled_call_impl", None) is not None
        for part in network.modules()
    )


def is_transformed() -> bool:
    """Whether PyTorch only traces what runs now, or runs it within `torch.func`: its tensors are
    none that could be kept.
    """
    return (
        torch._C._get_tracing_state() is not None
        or torch.compiler.is_compiling()
        or torch._C._functorch.peek_interpreter_stack() is not None
    )


def in_backward() -> bool:
    """Whether a backward pass is running: a forward pass in it repeats one, as checkpoints do."""
    return torch._C._current_graph_task_id() != -1


def keywords_of_call() -> dict[str, Any]:
    """The keyword arguments of the module's call that the hook runs in: PyTorch hands them to no
    global hook, but has them in the frame that called it.
    """
    kwargs = sys._getframe(2).f_locals.get("kwargs")
    return kwargs if isinstance(kwargs, dict) else {}
