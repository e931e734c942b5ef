"""Repeats a step on copies of the networks: forward, loss, backward; nothing of the training is
touched.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.doctor.case import remove_user_hooks
from sevensteps.doctor.identify_loss import LossFn
from sevensteps.doctor.trace.operations import (
    CallListener,
    OperationListener,
    Origin,
    Place,
    follow_layers,
)
from sevensteps.observe.copies import copy_network
from sevensteps.observe.loss_tape import (
    InputOf,
    LossTape,
    ParameterOf,
    ResultOf,
    RowsOf,
    TapeEntry,
    TargetOf,
    substitute,
)
from sevensteps.observe.network_facts import bare_module, prefix_of
from sevensteps.observe.replay_recorder import Batch, NetworkCall
from sevensteps.observe.structure import main_output, map_tensors, sample_count, tensors_of
from sevensteps.seeds import Isolation


@dataclass
class Repeated:
    """What came of a step that was repeated.

    `origin` is that of the first number that is not finite in the loss, or else in a gradient;
    `backward` whether it is of a gradient. `rows` are the samples whose answer is not finite, by
    the networks' answers; `loss` is known where it could be repeated.
    """

    origin: Origin | None = None
    backward: bool = False
    loss: float | None = None
    rows: list[int] = field(default_factory=list)
    samples: int = 0  # of the call that it belongs to
    outputs: list[Any] = field(default_factory=list)
    failure: str = ""


def repeat(
    networks: Mapping[str, nn.Module],
    state: Mapping[str, Tensor] | None,
    batch: Batch,
    tape: LossTape | None,
    loss_fn: LossFn | None,
) -> Repeated:
    """Repeat the step of `batch` with the parameters in `state` (None: those of now), and say what
    became of it.

    The loss is that of the `tape`, else `loss_fn(output, target)`; without both, only the networks'
    answers are computed.
    """
    result = Repeated()
    try:
        copies = {name: copy_network(bare_module(module)) for name, module in networks.items()}
        for name, module in copies.items():
            _load(module, prefix_of(name), state)
    except Exception as failure:
        result.failure = f"the network cannot be copied: {type(failure).__name__}: {failure}"
        return result
    listener = OperationListener()
    for name, module in copies.items():
        remove_user_hooks(module)
        follow_layers(module, name, listener)
    step = _Step(copies, batch, listener, result)
    with ExitStack() as stack:
        stack.enter_context(Isolation(torch.Generator().manual_seed(0)))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(torch.enable_grad())
        stack.enter_context(torch.autograd.set_detect_anomaly(False))
        stack.enter_context(listener)
        try:
            losses = step.losses(tape, loss_fn)
            step.judge(losses)
        except Exception as failure:
            said = " ".join(str(failure).split())
            result.failure = f"{type(failure).__name__}: {said}"[:200]
    return result


def _load(module: nn.Module, prefix: str, state: Mapping[str, Tensor] | None) -> None:
    own = dict(module.named_parameters())
    for p in own.values():
        p.grad = None
    if state is None:
        return
    with torch.no_grad():
        for name, tensor in (*own.items(), *module.named_buffers()):
            if (saved := state.get(prefix + name)) is not None:
                tensor.copy_(saved)


class _Step:
    """One step that is repeated, with `networks` that are copies."""

    def __init__(
        self,
        networks: dict[str, nn.Module],
        batch: Batch,
        listener: OperationListener,
        result: Repeated,
    ) -> None:
        self.networks, self.batch, self.listener = networks, batch, listener
        self.result = result
        self._calls = list(batch.calls)
        self._parameters = {
            prefix_of(network) + name: p
            for network, module in networks.items()
            for name, p in (*module.named_parameters(), *module.named_buffers())
        }

    def losses(self, tape: LossTape | None, loss_fn: LossFn | None) -> list[Tensor]:
        """The losses of the step."""
        if tape is not None:
            called = [e.network for e in tape.entries if e.function is None and e.args is None]
            kept = [call.network for call in self._calls]
            if called[: len(kept)] == kept[: len(called)]:
                return self._play(tape)
        outputs = []
        while self._calls:
            outputs.append(self._call(self._calls.pop(0)))
        if loss_fn is None or self.batch.target is None or self._stops():
            return []
        self.listener.place = Place("", "", "the loss")
        with CallListener(self.listener):
            answer = main_output(outputs[-1])
            loss = loss_fn(outputs[-1] if answer is None else answer, self.batch.target)
        return [loss.mean()]

    def _call(self, call: NetworkCall, args: Any = None, kwargs: Any = None) -> Any:
        module = self.networks[call.network]
        module.train(call.training)
        if args is None:
            args, kwargs = map_tensors(_fresh, (call.args, call.kwargs))
        self.listener.place = None
        self.listener.call += 1
        with _autocast(call.autocast), CallListener(self.listener):
            output = module(*args, **kwargs)
        self.result.outputs.append(output)
        self._note_rows(output)
        return output

    def _note_rows(self, output: Any) -> None:
        answer = main_output(output)
        if answer is None or self.result.rows or answer.ndim == 0:
            return
        if len(answer) == self._samples(self.listener.call):
            bad = (~answer.detach().isfinite()).reshape(len(answer), -1).any(1)
            self.result.rows = bad.nonzero().flatten().tolist()

    def _samples(self, call: int) -> int:
        """How many samples a network was called with, by the number of the call."""
        calls = self.batch.calls
        one = calls[call if 0 <= call < len(calls) else 0]
        return sample_count((one.args, one.kwargs))

    def _stops(self) -> bool:
        """Whether an answer is not finite by an operation of the network itself."""
        tensors = [t for output in self.result.outputs for t in tensors_of(output).values()]
        return any(self.listener.origin(t) is not None for t in tensors)

    # -- the tape ----------------------------------------------------------------------------------

    def _play(self, tape: LossTape) -> list[Tensor]:
        results: list[dict[str, Tensor]] = []
        inputs = [tensors_of((call.args, call.kwargs)) for call in self.batch.calls]
        targets = tensors_of(self.batch.target) or tape.targets

        def value(reference: Any) -> Any:
            if isinstance(reference, ResultOf):
                return results[reference.entry][reference.path]
            if isinstance(reference, ParameterOf):
                return self._parameters[reference.name]
            if isinstance(reference, InputOf):
                return inputs[reference.call][reference.path]
            if isinstance(reference, RowsOf):
                return reference.of(inputs[reference.call][reference.path])
            if isinstance(reference, TargetOf) and reference.path in targets:
                return targets[reference.path].to(reference.dtype)
            if isinstance(reference, TargetOf):
                raise KeyError("the targets of this step are not known")
            return reference

        for entry in tape.entries:
            if entry.function is None and entry.args is None and not self._calls:
                break  # of a step with many calls, the first ones were kept
            args, kwargs = substitute(value, entry.args), substitute(value, entry.kwargs)
            results.append(tensors_of(self._entry(entry, args, kwargs)))
        losses = [loss for loss in tape.losses if loss.entry < len(results)]
        return [results[loss.entry][loss.path] for loss in losses]

    def _entry(self, entry: TapeEntry, args: Any, kwargs: Any) -> Any:
        if entry.function is None and entry.args is None:
            return self._call(self._calls.pop(0))
        if entry.function is None:
            call = NetworkCall(entry.network, True, (), {}, entry.autocast, ())
            return self._call(call, args, kwargs)
        name = getattr(entry.function, "__name__", "")
        self.listener.place = Place(entry.where, "", name)
        with torch.set_grad_enabled(entry.grad), _autocast(entry.autocast):
            result = entry.function(*args, **kwargs)
        self.listener.claim(entry.function, result)
        return result

    # -- what came of it ---------------------------------------------------------------------------

    def judge(self, losses: Sequence[Tensor]) -> None:
        """Find the origin of what is not finite in the losses; else in their gradients."""
        result, listener = self.result, self.listener
        if not losses:
            tensors = [t for output in result.outputs for t in tensors_of(output).values()]
            self._find(tensors)
            return
        result.loss = float(sum(float(loss.detach()) for loss in losses))
        self._find(losses)
        if result.loss - result.loss != 0.0:
            return
        result.backward = True
        listener.begin_backward()
        torch.autograd.backward([loss for loss in losses if loss.requires_grad], retain_graph=True)
        gradients = [p.grad for p in self._parameters.values() if p.grad is not None]
        self._find(gradients)
        if result.origin is None:
            result.backward = False

    def _find(self, tensors: Sequence[Tensor]) -> None:
        bad = [t for t in tensors if t.is_floating_point() and not bool(t.isfinite().all())]
        origins = [origin for t in bad if (origin := self.listener.origin(t)) is not None]
        self.result.origin = min(origins, key=lambda one: one.order, default=None)
        if self.result.origin is not None:
            self.result.samples = self._samples(self.result.origin.call)


def _fresh(tensor: Tensor) -> Tensor:
    return tensor.detach().clone().requires_grad_(tensor.requires_grad)


@contextmanager
def _autocast(state: Sequence[tuple[str, torch.dtype]]) -> Iterator[None]:
    """Autocast as it was, `(device, precision)` for each device on which it was on."""
    with ExitStack() as stack:
        for device, dtype in state:
            stack.enter_context(torch.autocast(device, dtype=dtype))
        yield
