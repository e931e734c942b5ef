"""How it is noticed what a script does: by PyTorch's own hooks, and by lookups of its functions."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim import optimizer as optimizers

from sevensteps.observe.script.attributes import Attributes, NotedFunction
from sevensteps.observe.script.discovery import Discovery
from sevensteps.observe.script.evaluation import EvaluationReader
from sevensteps.observe.script.loaders import LoaderReader
from sevensteps.observe.script.roots import TORCH_FOLDER
from sevensteps.observe.script.training import MakeWatcher


class ScriptHooks:
    """Tells a `Discovery` what the script does, from `install()` to `remove()`.

    Whatever goes wrong in here is kept in `failure`, and the script goes on as if nobody watched.
    """

    def __init__(self, make_watcher: MakeWatcher) -> None:
        self.failure: str | None = None
        self.attributes = Attributes(self._fail, self._come_last)
        self.discovery = Discovery(
            make_watcher,
            EvaluationReader(self.attributes),
            LoaderReader(self.attributes),
            self._search_modules,
            self._note_calls_of,
        )
        self._handles: list[Any] = []
        self._compiles = False
        self._own: list[tuple[Any, int]] = []  # PyTorch's hooks, and which of them is ours
        self._late: list[torch.optim.Optimizer] = []  # whose steps are still to be told of

    def install(self) -> None:
        """Notice from now on what the script does."""
        note, discovery = self.attributes.note, self.discovery
        note(torch.optim.Optimizer, "__init__", discovery.optimizer_built)
        note(torch.optim.Optimizer, "zero_grad", self._cleared)
        note(nn.Module, "eval", discovery.evaluation_mode)
        note(torch.Tensor, "backward", self._backward)
        note(torch.amp.GradScaler, "scale", self._scale)
        discovery.loaders.start()
        self._note_functions()
        self._note_compilation()
        steps, stepped = map(self.attributes.guarded, (self._steps, self._stepped))
        # PyTorch hands its hooks more than the optimizer, and they may not return anything
        self._handles = [
            optimizers.register_optimizer_step_pre_hook(lambda o, *_: steps(o)),
            optimizers.register_optimizer_step_post_hook(lambda o, *_: stepped(o)),
        ]
        every: tuple[Any, ...] = (
            optimizers._global_optimizer_pre_hooks,
            optimizers._global_optimizer_post_hooks,
        )
        self._own = [(hooks, handle.id) for hooks, handle in zip(every, self._handles, strict=True)]
        self._search_modules(True)

    def remove(self) -> None:
        """Notice nothing more; PyTorch is what it was."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._own.clear()
        self.attributes.restore_all()

    def _fail(self, failure: Exception) -> None:
        if self.failure is None:
            text = " ".join(str(failure).split())
            self.failure = f"{type(failure).__name__}: {text}"[:300]
            with contextlib.suppress(Exception):
                for training in self.discovery.trainings:
                    training.stop()
            self.remove()

    # -- modules -----------------------------------------------------------------------------------

    def _search_modules(self, searching: bool) -> None:
        if searching and not self._compiles:
            self.attributes.note(nn.Module, "__call__", self.discovery.module_called)
        else:
            self.attributes.restore(nn.Module, "__call__")

    def _note_calls_of(self, module: nn.Module) -> None:
        kind = type(module)
        if kind is not nn.Module:
            self.attributes.note(kind, "__call__", self.discovery.module_called)

    # -- steps -------------------------------------------------------------------------------------

    def _steps(self, optimizer: torch.optim.Optimizer) -> None:
        if self._comes_last(0):
            self.discovery.optimizer_steps(optimizer)

    def _stepped(self, optimizer: torch.optim.Optimizer) -> None:
        self._late.append(optimizer)
        if self._comes_last(1):
            self._tell_late()

    def _tell_late(self) -> None:
        while self._late:
            self.discovery.optimizer_stepped(self._late.pop(0))

    def _cleared(self, optimizer: torch.optim.Optimizer) -> None:
        self._tell_late()
        self.discovery.gradients_cleared(optimizer)

    def _comes_last(self, which: int) -> bool:
        """Whether our hook is the last that PyTorch calls: only then can watchers put hooks there
        and take them away, without PyTorch stumbling over it.
        """
        hooks, own = self._own[which]
        return bool(next(reversed(hooks), None) == own)

    def _come_last(self) -> None:
        """A watcher's hooks at an optimizer's step come before ours, which reports the step."""
        for hooks, own in self._own:
            if next(reversed(hooks), None) != own:
                hooks.move_to_end(own)

    def _backward(self, loss: torch.Tensor) -> Callable[..., Any] | None:
        self._tell_late()
        self._note_backward(loss)
        if self.discovery.updates_by_hand() is None:
            return None
        before_update = self.attributes.guarded(self._before_update)
        function: Callable[..., Any] = torch.Tensor.backward

        def backward(*arguments: Any, **named: Any) -> None:
            function(loss, *arguments, **named)
            before_update()

        return backward

    def _note_backward(self, loss: Any) -> None:
        self.attributes.stay()  # of trainings in several threads, one is watched
        self.discovery.backward(loss)

    def _before_update(self) -> None:
        training = self.discovery.updates_by_hand()
        if training is not None and training.watcher is not None:
            training.watcher.before_update()

    def _scale(self, scaler: Any) -> Callable[..., Any]:
        scaled = self.attributes.guarded(self.discovery.scaled)

        def scale(outputs: Any) -> Any:
            result = type(scaler).scale(scaler, outputs)
            scaled(result, outputs)
            return result

        return scale

    # -- functions ---------------------------------------------------------------------------------

    def _note_functions(self) -> None:
        """Backward passes that are not called on a tensor: `torch.autograd.backward`, `grad`."""
        noted = self.attributes.guarded(self._note_backward)
        by_hand = self.attributes.guarded(self._before_update)

        def backward(tensors: Any, *arguments: Any, **named: Any) -> None:
            for tensor in [tensors] if isinstance(tensors, torch.Tensor) else tensors:
                noted(tensor)
            function.function(tensors, *arguments, **named)
            by_hand()

        def calls_itself(_: Any) -> Callable[..., Any] | None:
            caller = sys._getframe(3).f_code.co_filename  # above the note
            return None if caller.startswith(TORCH_FOLDER) else backward

        def grad(outputs: Any, inputs: Any, *arguments: Any, **named: Any) -> Any:
            # of a penalty, or to update by hand: then the loss is one number, of leaves
            several = [inputs] if isinstance(inputs, torch.Tensor) else list(inputs)
            if not self.discovery.optimizers and all(t.is_leaf for t in several):
                noted(outputs[0] if isinstance(outputs, tuple | list) else outputs)
            result = gradient.function(outputs, several, *arguments, **named)
            by_hand()
            return result

        def takes_gradients(_: Any) -> Callable[..., Any] | None:
            caller = sys._getframe(3).f_code.co_filename
            return None if self.discovery.optimizers or caller.startswith(TORCH_FOLDER) else grad

        function = NotedFunction(torch.autograd.backward, self.attributes.guarded(calls_itself))
        gradient = NotedFunction(torch.autograd.grad, self.attributes.guarded(takes_gradients))
        self.attributes.replace(torch.autograd, "backward", function)
        self.attributes.replace(torch.autograd, "grad", gradient)

    def _note_compilation(self) -> None:
        """PyTorch's compiler reads the functions that are called: none may be ours then."""
        original = torch.compile

        @functools.wraps(original)
        def compiled(model: Any = None, *arguments: Any, **named: Any) -> Any:
            self._compiles = True
            self.discovery.evaluated.reader.losses = ()
            self.discovery.evaluated.reader.comparisons = False
            self._search_modules(False)
            result = original(model, *arguments, **named)
            # what is called from outside is still called as ever
            for module in (result, getattr(model, "__self__", None)):
                if isinstance(module, nn.Module):
                    self.attributes.note(type(module), "__call__", self.discovery.module_called)
            return result

        self.attributes.replace(torch, "compile", compiled)
