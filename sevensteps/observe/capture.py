"""Hooks on one network for one step: what its layers gave, what came back to them, and what the
optimizer did.

They hang there only in a step that is looked at; in all others the network runs as if nobody
watched."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.observe import graph
from sevensteps.observe.look import Look, changes, signals, some_rows
from sevensteps.observe.network_facts import LayerFacts, opaque, watched

Call = tuple[
    Tensor, int
]  # a layer's output, and its version: another one later says that it was overwritten in place


class Capture:
    """Collects one step of `network`. `arm()` hangs the hooks up, `look()` says what was seen, `disarm()` takes them down.

    `cost` counts the seconds spent here.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizers: Sequence[torch.optim.Optimizer],
        layers: dict[str, LayerFacts],
    ) -> None:
        self.network, self.optimizers, self.layers = network, optimizers, layers
        self.modules = [] if opaque(network) else watched(network)
        self.parameters = {name: p for name, p in network.named_parameters() if p.requires_grad}
        held = {
            id(p)
            for optimizer in optimizers
            for group in optimizer.param_groups
            for p in group["params"]
        }
        self.moved = [
            p for p in self.parameters.values() if id(p) in held
        ]  # what clearing through the optimizer clears
        self.cost = 0.0
        self.armed = False
        self.functions: dict[
            str, str | None
        ] = {}  # what was computed before a module, found on the first look
        self._handles: list[Any] = []
        self._clear()

    def _clear(self) -> None:
        self.calls: dict[str, list[Call]] = {}
        self.slopes: dict[str, list[Tensor]] = {}
        self.known: set[Any] = set()  # the outputs seen, as they stand in PyTorch's graph
        self.input: Any = None
        self.output: Any = None
        self.slope: Tensor | None = None
        self.training = True
        self.before: dict[str, Tensor] = {}
        self.gradients: dict[str, Tensor] = {}
        self.left: float | None = None
        self.backwards = 0

    def arm(self) -> None:
        """Hang up the hooks for the step to come; where they hang already, only forget the last
        one.
        """
        self._clear()
        if self.armed:
            return
        began = time.perf_counter()
        hang = self._handles.append
        for name, module in self.modules:
            if (
                self.layers[name].role == "weights"
                and self.functions.get(f"{name}.input", "") is not None
            ):
                hang(module.register_forward_pre_hook(self._timed(self._entered, name)))
            hang(module.register_forward_hook(self._timed(self._left, name)))
        hang(self.network.register_forward_pre_hook(self._timed(self._begun)))
        hang(self.network.register_forward_hook(self._timed(self._ended)))
        for optimizer in self.optimizers:
            hang(optimizer.register_step_pre_hook(self._stepping))
        self.armed = True
        self.cost += time.perf_counter() - began

    def disarm(self) -> None:
        """Take the hooks down, and let go of what they saw: a tensor whose hook holds us would keep
        us, and its graph, for ever.
        """
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self.armed = False
        self._clear()

    def look(self, step: int, loss: float, target: Any, full: bool) -> Look:
        """What was seen in the step that has just ended."""
        groups = [group for optimizer in self.optimizers for group in optimizer.param_groups]
        found = Look(
            step,
            loss,
            tuple(float(group.get("lr", 0.0)) for group in groups),
            training=self.training,
            left=self.left,
            backwards=self.backwards,
            stepped=bool(self.before),
        )
        with torch.no_grad():
            kept = {
                name: [y for y, version in calls if y._version == version]
                for name, calls in self.calls.items()
            }
            found.signals = signals(
                {name: (ys, self.slopes.get(name, [])) for name, ys in kept.items() if ys},
                self.layers,
                full,
            )
            gradients = self.gradients or {
                name: p.grad for name, p in self.parameters.items() if p.grad is not None
            }
            found.changes = changes(self.parameters, gradients, self.before, full)
            output = (
                self.output
                if self.output is not None
                else next(reversed(self.calls.values()))[-1][0]
                if self.calls
                else None
            )
            found.output, found.target, found.slope = (
                some_rows(output),
                some_rows(target),
                some_rows(self.slope),
            )
            for name, tensor in (("input", self.input), ("output", output), ("target", target)):
                if isinstance(tensor, Tensor):
                    found.shapes[name] = tuple(tensor.shape)
            found.batch = len(output) if isinstance(output, Tensor) and output.ndim else 0
        return found

    # -- hooks -------------------------------------------------------------------------------------

    def _timed(self, hook: Callable[..., None], *first: Any) -> Callable[..., None]:
        def timed(*given: Any) -> None:
            if not torch.is_grad_enabled():  # an evaluation, not the training
                return
            began = time.perf_counter()
            hook(*first, *given)
            self.cost += time.perf_counter() - began

        return timed

    def _begun(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self.calls.clear()  # of several forward passes before one step, the last is looked at
        self.slopes.clear()
        self.known.clear()
        self.input = next((x for x in inputs if isinstance(x, Tensor)), None)
        self.training = module.training

    def _ended(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        first = _first(output)
        if first is None:
            return
        self.output = first
        if first.requires_grad:
            first.register_hook(self._returned)

    def _returned(self, slope: Tensor) -> None:
        began = time.perf_counter()
        if self.backwards == 0:  # the first since the last step: what is there now was not cleared
            held = [p.grad for p in self.moved if p.grad is not None and not p.grad.is_sparse]
            self.left = float(torch.stack(torch._foreach_norm(held)).norm()) if held else 0.0
        self.backwards += 1
        self.slope = slope.detach()
        self.cost += time.perf_counter() - began

    def _entered(self, name: str, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        x = next((x for x in inputs if isinstance(x, Tensor)), None)
        if x is None or not x.requires_grad or x.grad_fn in self.known:
            return
        layer = f"{name}.input"
        if layer not in self.functions:
            self.functions[layer] = function = graph.function_before(x, self.known)
            if function:
                axis = 1 if self.layers[name].axis == 1 else -1
                self.layers[layer] = LayerFacts(layer, function, "activation", axis, function)
        if self.functions[layer]:
            self._saw(layer, x)

    def _left(self, name: str, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        y = _first(output)
        if y is not None:
            self._saw(name, y)

    def _saw(self, name: str, y: Tensor) -> None:
        self.known.add(y.grad_fn)
        self.calls.setdefault(name, []).append((y, y._version))
        if y.requires_grad:
            y.register_hook(lambda g: self.slopes.setdefault(name, []).append(g.detach()))

    def _stepping(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        if not self.before:
            began = time.perf_counter()
            self.before = {name: p.detach().clone() for name, p in self.parameters.items()}
            # copied, because some loops clear gradients in place before they tell of the step
            self.gradients = {
                name: p.grad.detach().clone()
                for name, p in self.parameters.items()
                if p.grad is not None
            }
            self.cost += time.perf_counter() - began


def _first(output: Any) -> Tensor | None:
    """The tensor that a module gave, or the first of several."""
    if isinstance(output, Tensor):
        return output if output.is_floating_point() else None
    parts = (
        output.values()
        if isinstance(output, dict)
        else output
        if isinstance(output, tuple | list)
        else ()
    )
    return next(
        (part for part in parts if isinstance(part, Tensor) and part.is_floating_point()), None
    )
