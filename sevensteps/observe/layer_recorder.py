"""What the layers of one network gave in one step, what came back to them, and what the optimizer
did.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.observe import loss_graph
from sevensteps.observe.compared_passes import (
    MAX_PASSES,
    OnePass,
    halves,
    pair_distances,
    pulls_alike,
    two_sides,
)
from sevensteps.observe.later import NO_COPIES, FlatCopies
from sevensteps.observe.look import Look
from sevensteps.observe.look_measures import first_rows, measure_changes, measure_signals
from sevensteps.observe.network_facts import LayerFacts
from sevensteps.observe.step_hooks import in_backward
from sevensteps.observe.step_recorder import StepRecorder
from sevensteps.observe.structure import (
    first_tensor,
    main_output,
    main_target,
    map_tensors,
    sample_count,
    tensors_of,
)

# forward passes of one step that are kept without a backward pass through them: an evaluation with
# gradients may be long
MAX_UNUSED_PASSES = 8
MAX_OUTPUTS = 8  # of the tensors in one output
MAX_COMPARED = 200_000  # numbers of a pass's inputs, that are compared with those of another

# a layer's output and its version then: another version later says that it was overwritten in place
Output = tuple[Tensor, int]


@dataclass(eq=False)
class ForwardPass:
    """One forward pass of a network: what went in, what each layer and the network gave, and what
    came back.
    """

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    training: bool = True
    outputs: dict[str, list[Output]] = field(default_factory=dict)
    output_gradients: dict[str, list[Tensor]] = field(default_factory=dict)
    output: Any = None
    # of the tensors in `output`, by path
    network_gradients: dict[str, Tensor] = field(default_factory=dict)
    node: Any = None  # of PyTorch's graph, that the main output came from
    returned: float = 0.0  # when it ended
    used: bool = False  # whether a backward pass came through

    @property
    def main_output(self) -> Tensor | None:
        """The tensor taken for the network's answer; without one, the last layer's output."""
        if self.output is None and self.outputs:
            return next(reversed(self.outputs.values()))[-1][0]
        return main_output(self.output)


class LayerRecorder(StepRecorder):
    """Records one step of the network called `name`: `look()` measures the step that has just
    ended.

    `copied_now` says whether `gradients` are copies of what there is at the event that is told of.

    Several forward passes of a step are all measured, if a backward pass came through any of them
    those only. `layers` gets the functions that the network's `forward` calls before a layer.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizers: Sequence[torch.optim.Optimizer],
        layers: dict[str, LayerFacts],
        name: str = "",
    ) -> None:
        super().__init__()
        self.network, self.optimizers, self.layers, self.name = network, optimizers, layers, name
        # the function computed before a module, by name, as the first look saw it
        self.functions: dict[str, str | None] = {}
        self._every_parameter = dict(network.named_parameters())
        self.parameter_names = {id(p): name for name, p in self._every_parameter.items()}
        self.parameters: dict[str, Tensor] = {}
        self.passes: list[ForwardPass] = []
        self._clear()

    def _clear(self) -> None:
        for one in self.passes:
            one.node = None  # its hooks hold the pass
        self.passes = []
        self._open: ForwardPass | None = None  # the pass that is running
        self._known_nodes: set[Any] = set()  # of PyTorch's graph: outputs of this pass's layers
        self._backwards: set[int] = set()  # PyTorch's numbers of the backward passes
        self.parameters_before = self.gradients = NO_COPIES
        self.copied_now = False
        self._stepping_with_closure = False

    def arm(self) -> None:
        self._clear()
        every = self._every_parameter
        self.parameters = {name: p for name, p in every.items() if p.requires_grad}

    def disarm(self) -> None:
        """Let go of what was recorded: a graph whose hook refers to us would keep us, and itself,
        for ever.
        """
        self._clear()
        self.parameters = {}

    @property
    def ran(self) -> bool:
        """Whether the network ran in this step, or was changed by it."""
        return bool(self.passes or self.parameters_before)

    @property
    def shown(self) -> ForwardPass | None:
        """The pass whose output a look shows: the last of those measured."""
        measured = self._measured()
        return measured[-1] if measured else None

    @property
    def shown_at(self) -> float:
        """When that pass ended: seconds on the clock of `time.perf_counter`."""
        return 0.0 if self.shown is None else self.shown.returned

    def output_shapes(self) -> dict[str, list[tuple[int, ...]]]:
        """The shapes of what each layer gave, in the passes that are measured."""
        shapes: dict[str, list[tuple[int, ...]]] = {}
        for one in self._measured():
            for name, outputs in one.outputs.items():
                shapes.setdefault(name, []).extend(tuple(y.shape) for y, _ in outputs)
        return shapes

    def _measured(self) -> list[ForwardPass]:
        used = [one for one in self.passes if one.used]
        return used or self.passes[-1:]

    def collect(self, look: Look, loss: Any, target: Any) -> None:
        """Write what was recorded into `look`; more of it where `look.full`."""
        self.measure(look, target)

    def measure(self, look: Look, target: Any) -> None:
        """Write what was recorded into `look`, with the targets of the step."""
        groups = [group for optimizer in self.optimizers for group in optimizer.param_groups]
        look.lr = tuple(float(group.get("lr", 0.0)) for group in groups)
        look.backwards = len(self._backwards)
        look.stepped = bool(self.parameters_before)
        measured = self._measured()
        look.passes = len(measured)
        with torch.no_grad():
            calls: dict[str, tuple[list[Tensor], list[Tensor]]] = {}
            for one in measured:
                for name, outputs in one.outputs.items():
                    ys, gs = calls.setdefault(name, ([], []))
                    ys += [y for y, version in outputs if y._version == version]
                    gs += one.output_gradients.get(name, [])
            look.signals = measure_signals(
                {name: call for name, call in calls.items() if call[0]}, self.layers, look.full
            )
            gradients = self.gradients or self._current_gradients()
            look.changes = measure_changes(
                self.parameters, gradients, self.parameters_before, look.full
            )
            answer = main_target(target, measured[-1].output if measured else None)
            look.target = first_rows(answer)
            if measured:
                self._measure_pass(measured[-1], look, answer)
            if measured:
                _compare(measured, look)
            output = measured[-1].main_output if measured else None
            if isinstance(output, Tensor) and isinstance(answer, Tensor):
                _keep_in_pairs(look, output, answer)

    def _measure_pass(self, shown: ForwardPass, look: Look, target: Tensor | None) -> None:
        output = shown.main_output
        look.training = shown.training
        look.output = first_rows(output)
        parts = tensors_of(shown.output)
        if len(parts) > 1:
            look.outputs = {
                path: rows
                for path, part in list(parts.items())[:MAX_OUTPUTS]
                if (rows := first_rows(part)) is not None
            }
        for path, gradient in list(shown.network_gradients.items())[:MAX_OUTPUTS]:
            if (rows := first_rows(gradient)) is None:
                continue
            if parts.get(path) is output:
                look.output_gradient = rows
            if len(parts) > 1:
                look.output_gradients[path] = rows
        x = first_tensor((shown.args, shown.kwargs))
        tensors = {"input": x, "output": output, "target": target}
        look.shapes = {
            name: tuple(tensor.shape)
            for name, tensor in tensors.items()
            if isinstance(tensor, Tensor)
        }
        look.batch = (
            len(output)
            if isinstance(output, Tensor) and output.ndim
            else sample_count((shown.args, shown.kwargs))
        )

    def _current_gradients(self) -> dict[str, Tensor]:
        return {name: p.grad for name, p in self.parameters.items() if p.grad is not None}

    # -- forward -----------------------------------------------------------------------------------

    def network_enters(
        self, network: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        if network == self.name and not in_backward():
            self._begin(args, kwargs, module.training)

    def _begin(self, args: tuple[Any, ...], kwargs: dict[str, Any], training: bool) -> ForwardPass:
        unused = [one for one in self.passes if not one.used]
        for one in unused:
            one.node = None  # it would keep the whole graph
        if len(unused) >= MAX_UNUSED_PASSES:
            self.passes.remove(unused[0])
        self._known_nodes.clear()
        self._open = ForwardPass(args, kwargs, training)
        self.passes.append(self._open)
        return self._open

    def network_returns(self, network: str, module: nn.Module, output: Any) -> None:
        if network != self.name or self._open is None or in_backward():
            return
        running, self._open = self._open, None
        self._known_nodes.clear()
        running.output = map_tensors(torch.Tensor.detach, output)
        running.returned = time.perf_counter()
        answer = main_output(output)
        running.node = None if answer is None else answer.grad_fn
        for path, tensor in list(tensors_of(output).items())[:MAX_OUTPUTS]:
            if tensor.grad_fn is not None:
                hook = partial(self._network_gradient, running, path, tensor.output_nr)
                tensor.grad_fn.register_prehook(self.guarded(hook))

    def layer_enters(
        self, network: str, layer: str, module: nn.Module, args: tuple[Any, ...]
    ) -> None:
        if network != self.name or self.layers[layer].role != "weights" or in_backward():
            return
        x = next((x for x in args if isinstance(x, Tensor)), None)
        if x is None or not x.requires_grad or x.grad_fn in self._known_nodes:
            return
        before = f"{layer}.input"
        if before not in self.functions:
            function = loss_graph.activation_before(x, self._known_nodes)
            self.functions[before] = function
            if function:
                axis = 1 if self.layers[layer].axis == 1 else -1
                self.layers[before] = LayerFacts(before, function, "activation", axis, function)
        if self.functions[before]:
            self._record_output(before, x)

    def layer_returns(
        self, network: str, layer: str, module: nn.Module, args: tuple[Any, ...], output: Any
    ) -> None:
        if network != self.name or layer not in self.layers:
            return
        # A checkpoint repeats its forward pass in the backward pass; the first time it either ran
        # as usual, or was not told, because it had no gradients.
        if in_backward() and (not self.passes or layer in self.passes[-1].outputs):
            return
        y = main_output(output)
        if y is not None:
            self._record_output(layer, y)

    def _record_output(self, name: str, y: Tensor) -> None:
        # a layer that is called by itself, outside of the network's own pass, has one of its own
        running = self._open or (self.passes[-1] if self.passes else self._begin((), {}, True))
        running.outputs.setdefault(name, []).append((y.detach(), y._version))
        if y.grad_fn is not None:
            self._known_nodes.add(y.grad_fn)
            hook = partial(self._layer_gradient, running, name, y.output_nr)
            y.grad_fn.register_prehook(self.guarded(hook))

    # -- backward ----------------------------------------------------------------------------------

    def _layer_gradient(
        self, one: ForwardPass, name: str, position: int, gradients: tuple[Tensor | None, ...]
    ) -> None:
        if (gradient := gradients[position]) is not None:
            self._used(one)
            one.output_gradients.setdefault(name, []).append(gradient.detach())

    def _network_gradient(
        self, one: ForwardPass, path: str, position: int, gradients: tuple[Tensor | None, ...]
    ) -> None:
        if (gradient := gradients[position]) is not None:
            self._used(one)
            one.network_gradients[path] = gradient.detach()

    def _used(self, one: ForwardPass) -> None:
        one.used = True
        self._backwards.add(torch._C._current_graph_task_id())

    # -- optimizer ---------------------------------------------------------------------------------

    def optimizer_steps(
        self, optimizer: torch.optim.Optimizer | None, *, closure: bool = False
    ) -> None:
        own = self._is_changed_by(optimizer)
        self._stepping_with_closure, self.copied_now = closure and own, False
        if own and not self.parameters_before:
            self.parameters_before = FlatCopies(self.parameters)
            self._copy_gradients()

    def _is_changed_by(self, optimizer: torch.optim.Optimizer | None) -> bool:
        """Whether `optimizer` has parameters of this network, or nothing is known of it."""
        if optimizer is None or not self.optimizers or optimizer in self.optimizers:
            return True
        names = self.parameter_names
        return any(id(p) in names for group in optimizer.param_groups for p in group["params"])

    def optimizer_stepped(self, optimizer: torch.optim.Optimizer | None) -> None:
        self.copied_now = False
        if self._stepping_with_closure:  # the gradients have been computed in between
            self._copy_gradients()

    def _copy_gradients(self) -> None:
        # copied, because some loops clear gradients in place before they call `watch.step`
        self.gradients, self.copied_now = FlatCopies(self._current_gradients()), True


def _compare(measured: Sequence[ForwardPass], look: Look) -> None:
    """What the passes say about each other, where each has one tensor as input and as output, or
    both sides of a single one.
    """
    if len(measured) == 1 and not isinstance(measured[0].output, Tensor):
        only = measured[0]
        inputs = tensors_of((only.args, only.kwargs))
        if any(x.numel() > MAX_COMPARED for x in inputs.values()):
            return
        look.pairs = pair_distances(
            two_sides(inputs, tensors_of(only.output), only.network_gradients)
        )
        return
    passes = []
    for one in measured[: MAX_PASSES + 1]:
        x, output = first_tensor((one.args, one.kwargs)), one.output
        gradient = one.network_gradients.get("")
        if x is None or gradient is None or not isinstance(output, Tensor) or output.ndim < 2:
            return
        if len(x) != len(output) or x.numel() > MAX_COMPARED or not x.is_floating_point():
            return
        passes.append(OnePass(x.detach(), output, gradient, x.requires_grad))
    if len(passes) == 1:
        look.pairs = pair_distances(halves(passes[0]))
        return
    look.pairs, look.pulls_alike = pair_distances(passes), pulls_alike(passes)


def _keep_in_pairs(look: Look, output: Tensor, target: Tensor) -> None:
    """Keep as many rows of the targets as of the outputs, where there is one for each: of what is
    larger, fewer were kept.
    """
    kept = look.output, look.target
    if any(rows is None for rows in kept) or len(output) != len(target):
        return
    count = min(len(rows) for rows in kept if rows is not None)
    look.output, look.target = (rows[:count] for rows in kept if rows is not None)
    if look.output_gradient is not None:
        look.output_gradient = look.output_gradient[:count]
