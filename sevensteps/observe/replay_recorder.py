"""Keeps what it takes to repeat the first step that goes wrong: its batch and the one before, and
the parameters of a while ago.

A loss that is not finite is noticed when its step is over, and a gradient that is not when the next
one is: by then the optimizer has written it into the parameters.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.observe.compiled import compiled_codes
from sevensteps.observe.loss_tape import LossTape, autocast_now
from sevensteps.observe.network_facts import bare_module, prefix_of, refuses_hooks
from sevensteps.observe.step_hooks import CallWrapper, in_backward, is_transformed
from sevensteps.observe.step_recorder import StepRecorder
from sevensteps.observe.structure import map_tensors, tensors_of

MAX_CALLS = 8  # of networks in one step
MAX_NUMBERS = 16_000_000  # of the inputs of one step that are kept
MAX_PARAMETERS = 4_000_000  # of which copies are kept
# what copying takes, in seconds, about; and the share of the budget that it may
any_autocast, grad_enabled = torch._C._is_any_autocast_enabled, torch.is_grad_enabled
graph_task = torch._C._current_graph_task_id  # -1: no backward pass is running
# copies are more frequent at first: a step comes after at most one in so many of the steps so far
EARLY = 8
COPY, COPY_TENSOR, COPY_NUMBER, BUDGET_SHARE = 3e-5, 1e-6, 8e-10, 0.1


@dataclass(frozen=True)
class NetworkCall:
    """One call of a network: in which mode, and with what."""

    network: str
    training: bool
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    autocast: tuple[tuple[str, torch.dtype], ...]
    versions: tuple[int, ...]  # of its tensors: another one later says that they were overwritten

    @property
    def intact(self) -> bool:
        """Whether the inputs are still what they were."""
        return self.versions == versions_of((self.args, self.kwargs))


@dataclass
class Batch:
    """What the networks were called with in one step, and the targets that the loop reported."""

    step: int
    calls: list[NetworkCall] = field(default_factory=list)
    target: Any = None

    @property
    def usable(self) -> bool:
        """Whether it can be repeated."""
        return bool(self.calls) and all(call.intact for call in self.calls)

    def data(self) -> list[tuple[str, Tensor]]:
        """("inputs" or "targets", tensor) of what the first network was called with, which no other
        has computed, and of the targets.
        """
        given = [(call.args, call.kwargs) for call in self.calls[:1] if call.intact]
        return [
            (part, tensor)
            for part, value in (("inputs", given), ("targets", self.target))
            for tensor in tensors_of(value).values()
        ]


@dataclass
class State:
    """Parameters and buffers as they were before `step`, by name, the network's before it."""

    step: int
    tensors: dict[str, Tensor]


@dataclass
class Replay:
    """What the first bad step can be repeated with: batches and states, newest first; the tape of
    the last loss that was listened to.
    """

    batches: list[Batch] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    tape: LossTape | None = None


class ReplayRecorder(StepRecorder):
    """Keeps the batches that may be those of the first bad step, and two copies of the parameters,
    into `replay` from that step on.

    `networks` are what the loop calls, by name; `evaluated` is told of their calls without
    gradients that come before a step's own. In steps that nobody looks at, it listens from
    `listen()` to `silence()`, through what PyTorch calls in a module's place: less than a hook
    costs, and not part of the module when it is saved or copied.
    """

    def __init__(self, networks: Mapping[str, nn.Module], budget: float) -> None:
        super().__init__()
        self.replay: Replay | None = None
        self.evaluated: Callable[..., None] | None = None
        self._networks, self._budget = networks, budget
        # of the step that goes on: the parts of a `NetworkCall` for each call; (step, calls,
        # target) of the step that has ended last, and of the one before it where the last one's
        # loss is not finite, or not known yet. A batch that is kept longer than its loop has it
        # takes other memory from step to step, out of the processor's caches.
        self.calls: list[tuple[Any, ...]] = []
        self.ended: list[tuple[int, list[tuple[Any, ...]], Any]] = []
        self._large = False  # whether batches are too large to be kept
        self._wrappers: list[_CallNote] = []
        self._may_listen = budget > 0 and not any(
            refuses_hooks(bare_module(module)) for module in networks.values()
        )
        self._tensors: dict[str, Tensor] = {}
        self._states: list[State] = []
        self._every, self.due = 1, sys.maxsize  # steps between two copies; the step of the next one
        self._tape: LossTape | None = None
        if self._may_listen:
            self._find_tensors()

    def _find_tensors(self) -> None:
        tensors = {
            prefix_of(name) + own: tensor
            for name, module in self._networks.items()
            for own, tensor in (
                *bare_module(module).named_parameters(),
                *bare_module(module).named_buffers(),
            )
        }
        numbers = sum(tensor.numel() for tensor in tensors.values())
        plain = all(type(tensor.data) is Tensor for tensor in tensors.values())
        self._tensors = tensors if plain and numbers <= MAX_PARAMETERS else {}
        self.due = 0 if self._tensors else sys.maxsize
        self._copy_seconds = COPY + COPY_TENSOR * len(tensors) + COPY_NUMBER * numbers

    def take_over(self, other: ReplayRecorder) -> None:
        """Go on where another one left off: the networks have been looked at anew."""
        self.replay, self._tape = other.replay, other._tape
        self.calls, self.ended = other.calls, other.ended

    def set_step_seconds(self, seconds: float) -> None:
        """A step takes about so long: choose how often to copy accordingly."""
        allowed = BUDGET_SHARE * self._budget * seconds
        self._every = max(math.ceil(self._copy_seconds / max(allowed, 1e-12)), 1)

    # -- batches -----------------------------------------------------------------------------------

    def listen(self) -> None:
        """Note the calls of the networks from now on."""
        if self._wrappers or not self._listens or compiled_codes():
            return
        self._wrappers = [
            _CallNote(self, name, module)
            for name, module in self._networks.items()
            if vars(module).get("_compiled_call_impl") is None
        ]

    @property
    def listening(self) -> bool:
        """Whether all calls of the networks are noted."""
        return bool(self._wrappers) and len(self._wrappers) == len(self._networks)

    def silence(self) -> None:
        """Listen no longer. May be called at any time."""
        for wrapper in self._wrappers:
            wrapper.remove()
        self._wrappers = []

    def network_enters(
        self, network: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        if not in_backward():
            self.note_call(network, module, args, kwargs)

    def note_call(
        self, network: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """A network is called."""
        if len(self.calls) < MAX_CALLS and self._listens:
            self._note_call(network, module, args, kwargs)

    @property
    def _listens(self) -> bool:
        return self._may_listen and not self._large and self.replay is None

    def _note_call(
        self, network: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        versions = versions_of((args, kwargs))
        if any(tensor.grad_fn is not None for tensor in tensors_of((args, kwargs)).values()):
            # another network's answer: kept alone, without all that it came from
            args, kwargs = map_tensors(Tensor.detach, (args, kwargs))
        autocast = autocast_now() if any_autocast() else ()
        self.calls.append((network, module.training, args, kwargs, autocast, versions))

    def end_step(self, step: int, target: Any) -> None:
        """The step has ended, with these targets."""
        if self.replay is None:
            self.ended[:] = [*self.ended[-1:], (step, self.calls[:], target)]
            self.calls.clear()
            self.leave_large()

    def leave_large(self) -> None:
        """Keep no batches if those of the last step are too large."""
        calls = self.ended[-1][1] if self.ended else []
        tensors = tensors_of([call[2:4] for call in calls]).values()
        if sum(tensor.numel() for tensor in tensors) > MAX_NUMBERS:
            self.silence()
            self._large = True
            self.ended.clear()

    # -- parameters --------------------------------------------------------------------------------

    def note_state(self, step: int) -> None:
        """Copy the parameters as they are before `step`, if it is time to; all is well so far."""
        del self.ended[:-1]
        if step < self.due or self.replay is not None:
            return
        self.due = step + max(min(self._every, step // EARLY), 1)
        with torch.no_grad(), torch._C.DisableTorchFunction():
            if len(self._states) < 2:
                copies = {name: tensor.detach().clone() for name, tensor in self._tensors.items()}
                self._states.append(State(step, copies))
                return
            oldest = min(self._states, key=lambda state: state.step)
            torch._foreach_copy_(list(oldest.tensors.values()), list(self._tensors.values()))
            oldest.step = step

    # -- the first bad step ------------------------------------------------------------------------

    def keep_tape(self, tape: LossTape | None) -> None:
        """How the loss of a step that was looked at came about."""
        if self.replay is None:
            self._tape = tape or self._tape
        elif self.replay.tape is None:  # there was no look before
            self.replay.tape = tape

    def ends_badly(self) -> bool:
        """Whether a parameter is not finite, though no loss has told so yet."""
        parameters = [p for m in self._networks.values() for p in bare_module(m).parameters()]
        return any(not bool(p.detach().isfinite().all()) for p in parameters)

    def stop(self) -> Replay | None:
        """Something is not finite, in this step or the one before: keep what there is, and nothing
        from now on.
        """
        self.silence()
        if self.replay is None and self._may_listen:
            last = self.ended[-1][0] + 1 if self.ended else 0
            steps = (*self.ended, (last, self.calls[:], None))
            self.replay = Replay(
                [
                    Batch(step, own, target)
                    for step, calls, target in reversed(steps)
                    if (own := [NetworkCall(*c) for c in calls if not is_wrapped(c[2:4])])
                ],
                sorted(self._states, key=lambda state: -state.step),
                self._tape,
            )
        return self.replay


class _CallNote(CallWrapper):
    """Tells `recorder` of each call of a network."""

    def __init__(self, recorder: ReplayRecorder, name: str, module: nn.Module) -> None:
        self.recorder, self.name, self.module, self.wrapped = recorder, name, module, None
        self.calls = recorder.calls
        vars(module)["_compiled_call_impl"] = self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if grad_enabled():
            try:
                calls = self.calls
                # the first one of a step is none that a backward pass repeats
                if not calls or (graph_task() == -1 and len(calls) < MAX_CALLS):
                    x = args[0] if args else None
                    if type(x) is Tensor and len(args) == 1 and not kwargs and not any_autocast():
                        # as most calls are: every step of every training waits for this
                        own = args if x.grad_fn is None else (x.detach(),)
                        training, versions = self.module.training, (x._version,)
                        calls.append((self.name, training, own, {}, (), versions))
                    elif not is_transformed():
                        self.recorder.note_call(self.name, self.module, args, kwargs)
            except Exception as failure:  # the training goes on
                self.recorder.failed(failure)
        elif not self.calls and self.recorder.evaluated is not None and not is_transformed():
            try:
                self.recorder.evaluated(self.name, self.module, args, kwargs)
            except Exception as failure:
                self.recorder.failed(failure)
        return self.module._call_impl(*args, **kwargs)


def bad_numbers(tensor: Tensor) -> Tensor | None:
    """Where data are no number, or infinite other than a mask is, −inf; None where nothing is."""
    if not tensor.is_floating_point() or not tensor.ndim:
        return None
    bad = tensor.isnan() | (tensor == math.inf)
    return bad if bool(bad.any()) else None


def is_wrapped(value: Any) -> bool:
    """Whether a tensor in `value` stands for others, as inside of `torch.func.vmap`."""
    wrapped = torch._C._functorch.is_functorch_wrapped_tensor
    return any(wrapped(tensor) for tensor in tensors_of(value).values())


def versions_of(value: Any) -> tuple[int, ...]:
    """How often each tensor in `value` has been changed in place."""
    return tuple(
        0 if tensor.is_inference() else tensor._version for tensor in tensors_of(value).values()
    )
