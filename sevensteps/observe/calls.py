"""Notes which of PyTorch's functions a step calls, with what, and how the loss came of them.

A function mode listens between the first forward pass of a network and the optimizer's step. It
hands every call on unchanged.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from sevensteps.observe.call_content import call_of, content_of, input_nodes, is_broadcast
from sevensteps.observe.call_kinds import DIFFERENCES, Noted
from sevensteps.observe.call_mode import CallMode
from sevensteps.observe.calls_inside import CallsInside
from sevensteps.observe.compared_target import compared_target, difference_of
from sevensteps.observe.compiled import CompiledCode
from sevensteps.observe.function_mode import (
    Caller,
    Callers,
    insert_mode,
    remove_mode,
)
from sevensteps.observe.look import Look
from sevensteps.observe.loss_order import order_of
from sevensteps.observe.loss_tape import LossTape, TapeRecorder
from sevensteps.observe.loss_terms import StepGraph, Total, read_terms, terms_of
from sevensteps.observe.network_answers import NetworkAnswers
from sevensteps.observe.part_gradient_recorder import PartGradientRecorder
from sevensteps.observe.step_hooks import in_backward, is_transformed
from sevensteps.observe.step_recorder import StepRecorder
from sevensteps.observe.step_targets import StepTargets, origin_of
from sevensteps.observe.structure import tensors_of

MAX_CALLS = 300  # different ones of one step
MAX_NODES = 600  # of PyTorch's graph that are kept alive until the step's end
MAX_TOTALS = 16  # backward passes of one step that are told apart
MAX_DIFFERENCES = 16  # of a step, that are kept with their tensors
MAX_INPUTS = 8
TAPE_EVERY = 4  # steps looked at, of which a tape is written; besides of the first two
# modules that take another way where nobody listens: without gradients, or in evaluation mode
FAST_PATHS = (nn.TransformerEncoder, nn.TransformerEncoderLayer, nn.MultiheadAttention)
BACKWARD = Tensor.backward
# of PyTorch's warnings, the location lies this many calls above
DEEP_WARNINGS = {"softmax": 3, "log_softmax": 3, "softmin": 3}


class CallRecorder(StepRecorder):
    """Records the calls of a step, and the terms of its loss: `look.calls`, `look.loss_terms`; in
    `full` looks what gradient each sends, `look.part_gradients`.

    Listens from the first forward pass with gradients, or from `begin()`, until an optimizer steps;
    within forward passes only in some looks.
    `answers` knows whether targets of a step came of a network's answers, `not_seen` says why it
    did not listen, if it did not.
    """

    def __init__(self, compiled: CompiledCode | None = None) -> None:
        super().__init__()
        self.compiled = compiled or CompiledCode()
        self.mode = CallMode(self)
        self.inside = CallsInside()
        self.callers = Callers()
        self.passive = True
        self.not_seen = ""
        self.may_listen = True
        self.networks: list[str] = []  # whose forward pass is running, outermost first
        self._part: nn.Module | None = None  # that runs outside of its network's forward pass
        self.graph = StepGraph()
        self.full = True  # whether numbers of the calls' tensors are read, too
        self.part_gradients = PartGradientRecorder()
        self.tape = TapeRecorder()
        self.last_tape: LossTape | None = None  # of the last step
        self._armed = 0  # how often
        self._handles: list[Any] = []
        self._thread = 0
        self._listening = False
        self._clear()

    def _clear(self) -> None:
        self.graph.forget()
        self.networks.clear()
        self._part = None
        self._pass = 0  # how many forward passes there were
        self._calls: dict[Any, list[Any]] = {}  # [index, call, count]
        self._totals: list[Total] = []
        self._repeats: list[int] = []
        self._inputs: list[Tensor] = []
        self.tape.clear()
        self.answers = NetworkAnswers()
        self._targets = StepTargets()
        self._paused: list[int] = []  # modules that run unlistened, by id
        self._resumes = False

    # -- beginning and ending ----------------------------------------------------------------------

    def arm(self) -> None:
        """Forget the step before; watch for modules that must not be listened to."""
        self._end()
        self._clear()
        self.tape.clear(writes=self._armed < 2 or self._armed % TAPE_EVERY == 0)
        self._armed += 1
        self.inside.arm(full=self.full)
        self.part_gradients.arm(self.full and self.inside.heard)
        if not self._listening:
            self._thread = 0
        self._only_outside = bool(self.compiled.modules)
        self.may_listen = not self.compiled.blind
        self.not_seen = self.compiled.why if self.compiled.blind else ""
        if not self._handles and self.may_listen and not self._only_outside:
            self._handles = [
                register_module_forward_pre_hook(self._module_enters),
                register_module_forward_hook(self._module_returns, always_call=True),
            ]
        self.passive = False

    def begin(self) -> None:
        """Listen from now on, in this thread: for trainings without any module."""
        if self._listening or self.passive or not self.may_listen or not self._is_own_thread():
            return
        if self._paused:
            self._resumes = True
            return
        self._listening = True
        insert_mode(self.mode)

    def _end(self) -> None:
        self._resumes = False
        if not self._listening:
            return
        if not self._is_own_thread() or not remove_mode(self.mode):
            # within one of PyTorch's functions, or in another thread: it goes on, and notes nothing
            self.passive = True
            return
        self._listening = False

    def _is_own_thread(self) -> bool:
        """Whether this is the thread whose step is recorded: the first that is heard of."""
        if not self._thread:
            self._thread = threading.get_ident()
        return self._thread == threading.get_ident()

    def disarm(self) -> None:
        """Stop listening, and let go of all tensors."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._end()
        self.passive = True
        self._clear()
        self.part_gradients.forget()

    # -- what the hooks tell -----------------------------------------------------------------------

    def network_enters(
        self, network: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        if in_backward() or self.passive or not self._is_own_thread():
            return
        if self._part is not None:
            self.networks.clear()  # a part that ended with an error
            self._part = None
        if self.networks:
            self.inside.matter = True  # one network within another
            self.begin()
        elif self._only_outside:
            self._end()
        elif self.inside.heard:
            self.begin()
        else:
            self._end()
            for key, call, count in self.inside.of(network):
                self._calls.setdefault(key, [len(self._calls), call, count])
        if not self.networks:
            self.tape.network_enters(network, args, kwargs)
            self._pass += 1
            for tensor in tensors_of((args, kwargs)).values():
                if tensor.requires_grad and len(self.graph.passes) < MAX_NODES:
                    self.graph.passes[get_gradient_edge(tensor).node] = self._pass
        self.networks.append(network)
        self.answers.note_network(module)
        if len(self._inputs) < MAX_INPUTS:
            self._inputs += [t for t in tensors_of((args, kwargs)).values() if t.ndim >= 2][:4]

    def layer_enters(
        self, network: str, layer: str, module: nn.Module, args: tuple[Any, ...]
    ) -> None:
        self.part_gradients.note_forward()
        if self.networks or self._only_outside:
            return
        if in_backward() or self.passive or not self._is_own_thread():
            return
        # a loop calls the parts of a network one by one
        self.begin()
        self.networks.append(network)
        self._part = module
        if len(self._inputs) < MAX_INPUTS:
            data = [t for t in tensors_of(args).values() if t.ndim >= 2 and not t.requires_grad]
            self._inputs += data[:4]

    def layer_returns(
        self, network: str, layer: str, module: nn.Module, args: tuple[Any, ...], output: Any
    ) -> None:
        if module is self._part:
            self.networks.clear()
            self._part = None

    def network_returns(self, network: str, module: nn.Module, output: Any) -> None:
        if in_backward() or self.passive or not self._is_own_thread():
            return
        if network in self.networks:
            del self.networks[self.networks.index(network) :]
        if not self.networks:
            self.tape.network_returns(network, output)
        for path, tensor in tensors_of(output).items():
            # a single number is a loss that the network computes itself
            if tensor.grad_fn is None or tensor.ndim == 0 or tensor.grad_fn in self.graph.calls:
                continue
            if len(self.graph.outputs) < MAX_NODES:
                self.graph.outputs[tensor.grad_fn, tensor.output_nr] = (network, path)
                self.graph.passes[tensor.grad_fn] = self._pass
        if (self._only_outside or not self.inside.heard) and not self.networks:
            self.begin()

    def optimizer_steps(
        self, optimizer: torch.optim.Optimizer | None, *, closure: bool = False
    ) -> None:
        if not closure:
            self._end()

    def optimizer_stepped(self, optimizer: torch.optim.Optimizer | None) -> None:
        self._end()

    def collect(self, look: Look, loss: Any, target: Any) -> None:
        self._end()
        self.last_tape = None
        self._guard(self._end_tape, loss, target)
        node = loss.grad_fn if isinstance(loss, Tensor) else None
        if not self._totals and node is not None:
            self._totals.append(read_terms(node, self.graph))
            self._repeats.append(1)
        parts = max((len(total.terms) for total in self._totals), default=1)
        self.inside.remember(self._calls, several_parts=parts > 1)
        look.calls = tuple(
            replace(call, count=count) if count > 1 else call
            for _, call, count in self._calls.values()
        )
        look.loss_terms = terms_of(self._totals, self._repeats, node)
        look.part_gradients = self.part_gradients.collect(self.graph)
        for own in look.networks.values():
            own.calls, own.loss_terms = look.calls, look.loss_terms

    def _module_enters(self, module: nn.Module, args: Any) -> None:
        if self._paused:
            self._paused.append(id(module))
        elif not torch.is_grad_enabled() or (
            isinstance(module, FAST_PATHS) and not module.training
        ):
            if in_backward() or self.passive or not self._is_own_thread():
                return
            resumes = self._listening
            self._end()
            self._resumes = resumes
            self._paused.append(id(module))

    def _module_returns(self, module: nn.Module, args: Any, output: Any) -> None:
        if not self._paused or id(module) not in self._paused:
            return
        if not self._is_own_thread():
            return
        del self._paused[self._paused.index(id(module)) :]
        if self._paused:
            return
        if self._resumes:
            self.begin()
        if not torch.is_grad_enabled() and not in_backward():
            # its answers may become a loss's targets
            for tensor in tensors_of(output).values():
                self.answers.note(tensor, module)
            self.begin()

    # -- what the mode tells -----------------------------------------------------------------------

    def run(
        self,
        noted: Noted | None,
        function: Callable[..., Any],
        caller: Caller,
        frame: FrameType,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Call `function`, and note it. What goes wrong in noting stays here."""
        if function is BACKWARD:
            self._guard(self._note_backward, args)
            return caller.run(function, args, kwargs)
        run = caller.run
        if noted is not None and noted.name in DEEP_WARNINGS and len(args) < 2:
            run = self.callers.run_deep(frame, DEEP_WARNINGS[noted.name])
        result = run(function, args, kwargs)
        if not is_transformed() and not in_backward():
            self._guard(self._note, noted, function, caller, frame, args, kwargs, result)
            if not self.networks:
                self._guard(self._write_tape, function, frame, args, kwargs, result)
        return result

    def _write_tape(
        self,
        function: Callable[..., Any],
        frame: FrameType,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        result: Any,
    ) -> None:
        self.tape.note(function, args, kwargs, result, self.callers.where(frame))

    def _end_tape(self, loss: Any, target: Any) -> None:
        self.last_tape = self.tape.tape(loss, target)

    def _guard(self, note: Callable[..., None], *arguments: Any) -> None:
        began = time.perf_counter()
        try:
            with torch._C.DisableTorchFunction():
                note(*arguments)
        except Exception as failure:
            self.not_seen = f"some calls of functions ({type(failure).__name__}: {failure})"
        self.cost += time.perf_counter() - began

    def _note_backward(self, args: tuple[Any, ...]) -> None:
        node = args[0].grad_fn
        self.tape.note_backward(args[0])
        if node is None or in_backward() or len(self._totals) >= MAX_TOTALS:
            return
        total = read_terms(node, self.graph, len(self._totals))
        names = [(term.name, term.call, term.output) for term in total.terms]
        for index, other in enumerate(self._totals):
            if [(term.name, term.call, term.output) for term in other.terms] == names:
                self._repeats[index] += 1
                other.factors |= total.factors
                return
        self._totals.append(total)
        self._repeats.append(1)
        self.part_gradients.measure(args[0], total)

    def _note(
        self,
        noted: Noted | None,
        function: Callable[..., Any],
        caller: Caller,
        frame: FrameType,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        result: Any,
    ) -> None:
        if self.networks and (caller.place or (noted is not None and noted.kind == "hook")):
            self.inside.matter = True
        if noted is not None and noted.kind == "hook":
            self.part_gradients.note_hook()
            return
        first = result[0] if isinstance(result, tuple) and result else result
        if not isinstance(first, Tensor):
            return
        node = first.grad_fn
        if node is None:
            self.answers.follow(function, args, first)
        elif len(self.graph.numbers) < MAX_NODES:
            if first.numel() == 1:
                self.graph.numbers[node] = first.detach()
            if caller.place is not None:
                self.graph.places.setdefault(node, caller.place)
        if noted is None or (node is None and noted.kind != "loss" and not noted.anywhere):
            return
        if noted.kind == "broadcast":
            if noted.name in DIFFERENCES:
                self.answers.note_difference(args)
                if len(self.graph.differences) < MAX_DIFFERENCES and (
                    compared := difference_of(args)
                ):
                    self.graph.differences[node] = compared
            if not is_broadcast(args, first):
                return
        where = self.callers.where(frame)
        network = self.networks[-1] if self.networks else None
        shape = args[0].shape if args and isinstance(args[0], Tensor) else None
        key = (noted.name, where, network, shape, kwargs.get("training"))
        entry = self._calls.get(key)
        if entry is None:
            if len(self._calls) >= MAX_CALLS:
                return
            arguments = noted.bind(args, kwargs)
            entry = [len(self._calls), call_of(noted, arguments, where, network), 0]
            if noted.kind == "broadcast":
                entry[1].options["of_outputs"] = all(
                    tensor.requires_grad for tensor in args if isinstance(tensor, Tensor)
                )
            self._calls[key] = entry
        entry[2] += 1
        self.part_gradients.note_forward()
        origin = None
        if noted.kind == "loss" and node is not None and len(self.graph.calls) < MAX_NODES:
            arguments = noted.bind(args, kwargs)
            origin = origin_of(arguments, self.answers, self._inputs)
            given = arguments.get("input")
            if origin == "output" and isinstance(given, Tensor) and not given.requires_grad:
                entry[1].content["exchanged"] = True
            self.graph.calls[node] = entry[0], noted.name, input_nodes(arguments), origin
            self._targets.note(arguments.get("target"), node)
        if entry[2] == 1 and (self.full or origin == "constant"):
            with torch.no_grad():
                arguments = noted.bind(args, kwargs)
                entry[1].content.update(content_of(noted, arguments))
                if noted.kind == "loss" and self.full:
                    entry[1].content.update(
                        order_of(noted.name, arguments.get("input"), arguments.get("target"))
                    )

    def networks_of(self, targets: Any) -> dict[str, str]:
        """The networks whose outputs these targets were compared with, by the path of each target;
        only of those where it is known.
        """
        return self._targets.networks_of(targets, self.graph)

    def compared_target(self, loss: Tensor) -> Tensor | None:
        """The target of a loss of this step that the training writes itself; None where it cannot
        be told.
        """
        return compared_target(loss, self.graph)
