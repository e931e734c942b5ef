"""Hooks on one network for one step: what its layers gave, what came back to them, and what the
optimizer did.

The hooks are there only in a step that is looked at; in all others the network runs as if nobody
watched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.observe import loss_graph
from sevensteps.observe.look import Look, first_rows, measure_changes, measure_signals
from sevensteps.observe.network_facts import LayerFacts, refuses_hooks, watched_modules

# a layer's output and its version then: another version later says that it was overwritten in place
Output = tuple[Tensor, int]


class StepCapture:
    """Captures one step of `network`. `arm()` registers the hooks, `look()` measures the step that
    has just ended, `disarm()` removes the hooks.

    `cost` counts the seconds spent in here.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizers: Sequence[torch.optim.Optimizer],
        layers: dict[str, LayerFacts],
    ) -> None:
        self.network, self.optimizers, self.layers = network, optimizers, layers
        self.modules = [] if refuses_hooks(network) else watched_modules(network)
        self.parameters = {name: p for name, p in network.named_parameters() if p.requires_grad}
        optimized = {
            id(p)
            for optimizer in optimizers
            for group in optimizer.param_groups
            for p in group["params"]
        }
        # those whose gradients `optimizer.zero_grad()` clears
        self.optimized = [p for p in self.parameters.values() if id(p) in optimized]
        self.cost = 0.0
        self.armed = False
        # the function computed before a module, by name, as the first look saw it
        self.functions: dict[str, str | None] = {}
        self._handles: list[Any] = []
        self._clear()

    def _clear(self) -> None:
        self.outputs: dict[str, list[Output]] = {}
        self.output_gradients: dict[str, list[Tensor]] = {}
        self.known_nodes: set[Any] = set()  # of PyTorch's graph: those of the outputs captured
        self.network_input: Any = None
        self.network_output: Any = None
        self.network_output_gradient: Tensor | None = None
        self.training = True
        self.parameters_before: dict[str, Tensor] = {}
        self.gradients: dict[str, Tensor] = {}
        self.leftover_gradient: float | None = None
        self.backwards = 0

    def arm(self) -> None:
        """Register the hooks for the step to come; where they are registered already, only forget
        the step before.
        """
        self._clear()
        if self.armed:
            return
        began = time.perf_counter()
        add = self._handles.append
        for name, module in self.modules:
            if (
                self.layers[name].role == "weights"
                and self.functions.get(f"{name}.input", "") is not None
            ):
                add(module.register_forward_pre_hook(self._timed(self._layer_enters, name)))
            add(module.register_forward_hook(self._timed(self._layer_returns, name)))
        add(self.network.register_forward_pre_hook(self._timed(self._network_enters)))
        add(self.network.register_forward_hook(self._timed(self._network_returns)))
        for optimizer in self.optimizers:
            add(optimizer.register_step_pre_hook(self._optimizer_steps))
        self.armed = True
        self.cost += time.perf_counter() - began

    def disarm(self) -> None:
        """Remove the hooks, and let go of what they captured: a tensor whose hook refers to us
        would keep us, and its graph, for ever.
        """
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self.armed = False
        self._clear()

    def look(self, step: int, loss: float, target: Any, full: bool) -> Look:
        """The step that has just ended, measured; more of it where `full`."""
        groups = [group for optimizer in self.optimizers for group in optimizer.param_groups]
        look = Look(
            step,
            loss,
            tuple(float(group.get("lr", 0.0)) for group in groups),
            training=self.training,
            leftover_gradient=self.leftover_gradient,
            backwards=self.backwards,
            stepped=bool(self.parameters_before),
        )
        with torch.no_grad():
            intact = {
                name: [y for y, version in outputs if y._version == version]
                for name, outputs in self.outputs.items()
            }
            look.signals = measure_signals(
                {
                    name: (ys, self.output_gradients.get(name, []))
                    for name, ys in intact.items()
                    if ys
                },
                self.layers,
                full,
            )
            gradients = self.gradients or {
                name: p.grad for name, p in self.parameters.items() if p.grad is not None
            }
            look.changes = measure_changes(self.parameters, gradients, self.parameters_before, full)
            output = self.network_output
            if output is None and self.outputs:
                output = next(reversed(self.outputs.values()))[-1][0]
            look.output, look.target = first_rows(output), first_rows(target)
            look.output_gradient = first_rows(self.network_output_gradient)
            tensors = {"input": self.network_input, "output": output, "target": target}
            look.shapes = {
                name: tuple(tensor.shape)
                for name, tensor in tensors.items()
                if isinstance(tensor, Tensor)
            }
            look.batch = len(output) if isinstance(output, Tensor) and output.ndim else 0
        return look

    # -- hooks -------------------------------------------------------------------------------------

    def _timed(self, hook: Callable[..., None], *first: Any) -> Callable[..., None]:
        def timed(*arguments: Any) -> None:
            if not torch.is_grad_enabled():  # an evaluation, not the training
                return
            began = time.perf_counter()
            hook(*first, *arguments)
            self.cost += time.perf_counter() - began

        return timed

    def _network_enters(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self.outputs.clear()  # of several forward passes before one step, the last is looked at
        self.output_gradients.clear()
        self.known_nodes.clear()
        self.network_input = next((x for x in inputs if isinstance(x, Tensor)), None)
        self.training = module.training

    def _network_returns(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        tensor = _first_tensor(output)
        if tensor is None:
            return
        self.network_output = tensor
        if tensor.requires_grad:
            tensor.register_hook(self._backward_begins)

    def _backward_begins(self, output_gradient: Tensor) -> None:
        began = time.perf_counter()
        if self.backwards == 0:  # the first since the last step: what is there now was not cleared
            leftover = [
                p.grad for p in self.optimized if p.grad is not None and not p.grad.is_sparse
            ]
            self.leftover_gradient = (
                float(torch.stack(torch._foreach_norm(leftover)).norm()) if leftover else 0.0
            )
        self.backwards += 1
        self.network_output_gradient = output_gradient.detach()
        self.cost += time.perf_counter() - began

    def _layer_enters(self, name: str, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        x = next((x for x in inputs if isinstance(x, Tensor)), None)
        if x is None or not x.requires_grad or x.grad_fn in self.known_nodes:
            return
        layer = f"{name}.input"
        if layer not in self.functions:
            self.functions[layer] = function = loss_graph.activation_before(x, self.known_nodes)
            if function:
                axis = 1 if self.layers[name].axis == 1 else -1
                self.layers[layer] = LayerFacts(layer, function, "activation", axis, function)
        if self.functions[layer]:
            self._record_output(layer, x)

    def _layer_returns(
        self, name: str, module: nn.Module, inputs: tuple[Any, ...], output: Any
    ) -> None:
        y = _first_tensor(output)
        if y is not None:
            self._record_output(name, y)

    def _record_output(self, name: str, y: Tensor) -> None:
        self.known_nodes.add(y.grad_fn)
        self.outputs.setdefault(name, []).append((y, y._version))
        if y.requires_grad:
            y.register_hook(lambda g: self.output_gradients.setdefault(name, []).append(g.detach()))

    def _optimizer_steps(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        if not self.parameters_before:
            began = time.perf_counter()
            self.parameters_before = {
                name: p.detach().clone() for name, p in self.parameters.items()
            }
            # copied, because some loops clear gradients in place before they call `watch.step`
            self.gradients = {
                name: p.grad.detach().clone()
                for name, p in self.parameters.items()
                if p.grad is not None
            }
            self.cost += time.perf_counter() - began


def _first_tensor(output: Any) -> Tensor | None:
    """The floating-point tensor that a module returned, or the first of several."""
    if isinstance(output, Tensor):
        return output if output.is_floating_point() else None
    parts: Any = ()
    if isinstance(output, dict):
        parts = output.values()
    elif isinstance(output, tuple | list):
        parts = output
    return next(
        (part for part in parts if isinstance(part, Tensor) and part.is_floating_point()), None
    )
