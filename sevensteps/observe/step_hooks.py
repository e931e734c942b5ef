"""One set of hooks for everything that watches a step: PyTorch's global ones, filtered.

Nothing is put on the networks, layers and optimizers themselves, so that saving, pickling and
copying them gives what it gives without hooks.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from sevensteps.observe.compiled import CompiledCode
from sevensteps.observe.network_facts import bare_module, refuses_hooks, watched_modules
from sevensteps.observe.step_recorder import StepRecorder, raised


class StepHooks:
    """Tells `recorders` what `networks` and `optimizers` do, from `register()` to `remove()`.

    An exception in a recorder goes to `failed`, never to the training. `cost` counts the seconds
    spent in here. Recorders run with PyTorch's function modes off: the calls they make are none of
    the training's, and each would take a microsecond more for every mode.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        optimizers: Sequence[torch.optim.Optimizer],
        recorders: Sequence[StepRecorder],
        failed: Callable[[Exception], None] = raised,
        compiled: CompiledCode | None = None,
    ) -> None:
        self.networks, self.optimizers, self.recorders = networks, optimizers, recorders
        self.failed = failed
        self.compiled = compiled or CompiledCode()
        self._looks_around = compiled is None
        self.cost = 0.0
        self.armed = False
        self.not_seen = ""  # what the hooks cannot see, and why
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
        if self._looks_around:
            self.compiled.look_around(self.networks)
        self._network_enters = methods_for("network_enters", self.recorders)
        self._network_evaluates = methods_for("network_evaluates", self.recorders)
        self._network_returns = methods_for("network_returns", self.recorders)
        self._layer_enters = methods_for("layer_enters", self.recorders)
        self._layer_returns = methods_for("layer_returns", self.recorders)
        self._thread: int | None = None
        self._roots = {id(module): name for name, module in self.networks.items()}
        self._layers: dict[int, tuple[str, str]] = {}
        for network, module in self.networks.items():
            bare = bare_module(module)
            if not refuses_hooks(bare):
                for layer, part in watched_modules(bare):
                    self._layers.setdefault(id(part), (network, layer))
        self._optimizers = {id(optimizer) for optimizer in self.optimizers}
        if self.optimizers and not self.compiled.optimizer:
            self._handles += [
                register_optimizer_step_pre_hook(self._optimizer_steps),
                register_optimizer_step_post_hook(self._optimizer_stepped),
            ]
        self.not_seen = self.compiled.why
        if not self.compiled.blind and self.compiled.modules:
            self._wrap_calls(self.compiled.modules)
        elif not self.compiled.blind:
            self._handles += [
                register_module_forward_pre_hook(self._enters),
                register_module_forward_hook(self.module_returns),
            ]
        self.armed = True

    def _wrap_calls(self, compiled: Mapping[int, str]) -> None:
        """Have the calls of networks and layers go through us, of those outside of compiled
        modules: global hooks would have PyTorch compile these again.
        """
        inside = {
            id(part)
            for network in self.networks.values()
            for module in network.modules()
            if id(module) in compiled
            for part in module.modules()
        }
        for network in self.networks.values():
            for module in network.modules():
                outside = id(module) not in inside or id(module) in self._roots
                if outside and (id(module) in self._roots or id(module) in self._layers):
                    self._handles.append(CallWrapper(self, module))

    def remove(self) -> None:
        """Remove the hooks. May be called at any time."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        if self._looks_around:
            self.compiled.look_away()
        self.armed = False

    def _is_own_thread(self) -> bool:
        """Whether this is the thread that is watched: the first to use a network. What others do
        with the same network at the same time belongs to other steps.
        """
        if self._thread is None:
            self._thread = threading.get_ident()
        return self._thread == threading.get_ident()

    # -- hooks -------------------------------------------------------------------------------------

    def _enters(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        if (key := id(module)) in self._roots:
            self.module_enters(module, args, keywords_of_call())
        elif key in self._layers:
            self.module_enters(module, args, {})

    def module_enters(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Tell the recorders that `module` is called with these arguments."""
        network, layer = self._roots.get(id(module)), self._layers.get(id(module))
        if (network is None and layer is None) or is_transformed() or not self._is_own_thread():
            return
        began = time.perf_counter()
        try:
            with torch._C.DisableTorchFunction():
                if network is not None:
                    enabled = torch.is_grad_enabled()
                    for tell in self._network_enters if enabled else self._network_evaluates:
                        tell(network, module, args, kwargs)
                if layer is not None and torch.is_grad_enabled():
                    for tell in self._layer_enters:
                        tell(*layer, module, args)
        except Exception as failure:  # whatever goes wrong in here, the training goes on
            self.failed(failure)
        self.cost += time.perf_counter() - began

    def module_returns(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        """Tell the recorders what `module` has computed."""
        network, layer = self._roots.get(id(module)), self._layers.get(id(module))
        if (network is None and layer is None) or not torch.is_grad_enabled() or is_transformed():
            return
        if not self._is_own_thread():
            return
        began = time.perf_counter()
        try:
            with torch._C.DisableTorchFunction():
                if layer is not None:
                    for tell in self._layer_returns:
                        tell(*layer, module, args, output)
                if network is not None:
                    for tell in self._network_returns:
                        tell(network, module, output)
        except Exception as failure:
            self.failed(failure)
        self.cost += time.perf_counter() - began

    def _optimizer_steps(
        self, optimizer: torch.optim.Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        if id(optimizer) not in self._optimizers or torch.compiler.is_compiling():
            return
        if self._is_own_thread():
            closure = kwargs.get("closure", args[1] if len(args) > 1 else None)
            self.optimizer_steps(optimizer, closure=callable(closure))
            self.compiled.in_optimizer = not callable(closure)

    def optimizer_steps(
        self, optimizer: torch.optim.Optimizer | None, *, closure: bool = False
    ) -> None:
        """Tell the recorders that `optimizer` is about to change the parameters."""
        began = time.perf_counter()
        try:
            with torch._C.DisableTorchFunction():
                for recorder in self.recorders:
                    recorder.optimizer_steps(optimizer, closure=closure)
        except Exception as failure:
            self.failed(failure)
        self.cost += time.perf_counter() - began

    def _optimizer_stepped(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        if id(optimizer) not in self._optimizers or torch.compiler.is_compiling():
            return
        if not self._is_own_thread():
            return
        self.compiled.in_optimizer = False
        began = time.perf_counter()
        try:
            with torch._C.DisableTorchFunction():
                for recorder in self.recorders:
                    recorder.optimizer_stepped(optimizer)
        except Exception as failure:
            self.failed(failure)
        self.cost += time.perf_counter() - began


def methods_for(event: str, recorders: Sequence[StepRecorder]) -> list[Callable[..., None]]:
    """What `event` calls of the recorders: the methods that do something."""
    return [
        getattr(recorder, event)
        for recorder in recorders
        if getattr(type(recorder), event) is not getattr(StepRecorder, event)
        or event in vars(recorder)
    ]


class CallListener(Protocol):
    """Who is told of the calls of a module, before and after."""

    def module_enters(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """`module` is called with these arguments."""

    def module_returns(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        """`module` has computed `output`."""


class CallWrapper:
    """Stands between the caller of `module` and the module, from here to `remove()`.

    PyTorch keeps the compiled form of a module's call in the same place, and neither pickles nor
    copies what is there; of a class that does, a copy has None there, as without us.
    """

    def __init__(self, listener: CallListener, module: nn.Module) -> None:
        self.listener, self.module = listener, module
        self.wrapped: Callable[..., Any] | None = vars(module).get("_compiled_call_impl")
        vars(module)["_compiled_call_impl"] = self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.listener.module_enters(self.module, args, kwargs)
        output = (self.wrapped or self.module._call_impl)(*args, **kwargs)
        self.listener.module_returns(self.module, args, output)
        return output

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()

    def remove(self) -> None:
        """Take the wrapper off."""
        outer = vars(self.module).get("_compiled_call_impl")
        if outer is not self:
            while isinstance(outer, CallWrapper):
                if outer.wrapped is self:
                    outer.wrapped = self.wrapped
                outer = outer.wrapped
            return  # or the module has been compiled in the meantime
        if self.wrapped is None:
            del vars(self.module)["_compiled_call_impl"]
        else:
            vars(self.module)["_compiled_call_impl"] = self.wrapped


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
