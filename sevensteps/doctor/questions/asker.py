"""Asks a copy of the network, in evaluation mode, without its dropout, and with the same random
numbers each time, so that two answers differ by nothing but what they were asked.
"""

from __future__ import annotations

import linecache
import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import FrameType
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd
from torch.overrides import TorchFunctionMode

from sevensteps.doctor.asking import ask
from sevensteps.doctor.case import Case, failure_text
from sevensteps.observe.function_mode import TORCH, Callers, calling_frame
from sevensteps.observe.structure import (
    first_tensor,
    rows,
    sample_count,
    spread_indices,
    tensors_of,
    to_device,
)
from sevensteps.seeds import isolated_generators

MOST = 64  # samples that are asked about
LEAST = 8
WIDEST = 2048  # classes that are compared in each place of a sequence
WORK = 2e9  # products of a number and a weight in one forward pass
FAR_TOO_MUCH = 1e12  # of them, for `LEAST` samples

T = TypeVar("T")


class Asker:
    """A copy of a network, and the samples that it is asked about.

    `inputs` and `targets` are `count` of the case's examples, on the network's device.
    """

    def __init__(self, case: Case, network: nn.Module, inputs: Any, targets: Any) -> None:
        self.case, self.network = case, network
        self.inputs, self.targets = inputs, targets
        self.count = sample_count(inputs)
        self.dropout_calls: list[DropoutCall] = []  # that were left out in the last answer

    def output(self, inputs: Any, seed: int = 0, dropout: bool = False) -> Any:
        """What the network gives for `inputs`, with the random numbers of `seed`; with `dropout`,
        what evaluation mode does not stop of it works, too.
        """
        device = next((p.device for p in self.network.parameters()), None)
        with isolated_generators(seed, device), WithoutDropout(not dropout) as mode:
            output = ask(self.network, inputs)
        self.dropout_calls = mode.calls
        return output

    def __call__(self, inputs: Any, seed: int = 0, dropout: bool = False) -> Tensor:
        """The answers [N, D] for inputs of N samples, as float64 on the CPU.

        Of several outputs the answer, where it is known which it is; else all that have a row for
        each sample, beside each other. Of the words of a large vocabulary some stand for all.
        Raises `ValueError` where none has.
        """
        count = sample_count(inputs)
        output = self.output(inputs, seed, dropout)
        answer = self.case.answer_in(output)
        parts = [answer] if answer is not None else tensors_of(output).values()
        of_samples = [
            _narrow(part.detach()).double().cpu().reshape(count, -1)
            for part in parts
            if part.is_floating_point() and fits(part, count)
        ]
        if not of_samples:
            raise ValueError(f"no output has a row for each of {count} samples")
        return torch.cat(of_samples, 1)


def _narrow(output: Tensor) -> Tensor:
    """An output, with at most `WIDEST` numbers on its last axis."""
    width = output.shape[-1] if output.ndim > 2 else 0
    if width <= WIDEST:
        return output
    return output[..., spread_indices(width, WIDEST).to(output.device)]


def fits(output: Tensor, count: int) -> bool:
    """Whether an output has a row for each of `count` samples; one sample may have lost its
    axis.
    """
    return bool(output.numel()) and (count == 1 or (output.ndim > 0 and len(output) == count))


def put(
    case: Case, question: str, answer: Callable[[Asker], T | None], most: int = MOST
) -> T | None:
    """What `answer` finds out about the network of `case`, by asking about at most `most` samples.

    None where there is no network, no data or no training yet; and, with an entry in
    `case.not_judged`, where the network takes too long or raises. Inputs that were seen without
    targets do, too.
    """
    inputs, targets = case.examples or (getattr(case.observation, "inputs", None), None)
    if case.network is None or case.before_training or inputs is None:
        return None
    work = work_of(case.network, inputs)
    if work * LEAST > FAR_TOO_MUCH:
        why = f"one answer of this network takes about {work:.0e} products; that is too long"
        case.not_judged.append((question, why))
        return None
    available = sample_count(inputs)
    count = min(most, available, max(LEAST, int(WORK / max(work, 1))))
    chosen = torch.linspace(0, available - 1, count).long()
    device = next((p.device for p in case.network.parameters()), torch.device("cpu"))
    with case.network_copy() as network, torch.no_grad(), uncompiled():
        if network is None:
            return None
        few = to_device(rows(inputs, chosen), device)
        of_them = rows(targets, chosen) if sample_count(targets) == available else None
        try:
            return answer(Asker(case, network, few, of_them))
        except Exception as failure:
            why = _why_no_answer(Asker(case, network, rows(few, slice(0, LEAST)), None))
            general = (
                "the network answers for all of its samples at once, as for the nodes of a graph; "
                "what it makes of a few of them was not asked"
                if _of_a_graph(inputs)
                else f"the network gives no answer to a few of its samples alone: {why}"
            )
            case.not_judged.append(
                ("questions", general) if why else (question, failure_text(failure))
            )
            return None


def _of_a_graph(inputs: Any) -> bool:
    """Whether one input says of each pair of samples whether they are neighbours."""
    shapes = [tuple(tensor.shape) for tensor in tensors_of(inputs).values()]
    return len(shapes) > 1 and any(
        len(shape) == 2 and shape[0] == shape[1] == sample_count(inputs) for shape in shapes
    )


def _why_no_answer(asker: Asker) -> str:
    """What a network raises that does not take any question, as one of all nodes of a graph; "" of
    any other.
    """
    try:
        asker(asker.inputs)
    except Exception as failure:
        return failure_text(failure)
    return ""


def uncompiled() -> AbstractContextManager[Any]:
    """Within it, compiled networks run as they are written: their code is not compiled anew."""
    if "torch._dynamo" not in sys.modules:  # it takes a second to import, and nothing is compiled
        return nullcontext()
    stance: AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return stance


def work_of(network: nn.Module, inputs: Any) -> float:
    """About how many products of a number and a weight the answer for one sample takes: each
    weight once for each step of a sequence, or each pixel.
    """
    x = first_tensor(inputs)
    weights = sum(p.numel() for p in network.parameters())
    if x is None or x.ndim < 2:
        return float(weights)
    whole = not x.is_floating_point()
    places = x.shape[1:] if whole else x.shape[2:] if x.ndim > 3 else x.shape[1:-1]
    return float(weights) * max(torch.Size(places).numel(), 1)


class WithoutDropout(TorchFunctionMode):
    """Leaves out dropout that evaluation mode does not stop: called as a function, or by a module
    that the network does not know of. Off where not `active`. `calls` has those calls.
    """

    def __init__(self, active: bool = True) -> None:
        super().__init__()
        self.active = active
        self.calls: list[DropoutCall] = []
        self._callers = Callers()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if not self.active:
            return func(*args, **kwargs)
        if func in DROPOUTS:
            options = dict(zip(("input", "p", "training", "inplace"), args, strict=False)) | kwargs
            works = options.get("training", options.get("train", func not in OFF_BY_DEFAULT))
            if works and options.get("p", 0.5) > 0:
                self._note()
                return options["input"]
        elif func is F.scaled_dot_product_attention:
            options = dict(zip(ATTENTION, args, strict=False)) | kwargs
            if options.pop("dropout_p", 0.0):
                self._note()
            return func(**options)
        elif func is F.multi_head_attention_forward and kwargs.get("training", True):
            if args[10] if len(args) > 10 else kwargs.get("dropout_p", 0.0):
                self._note()
            return func(*args, **{**kwargs, "training": False})
        return func(*args, **kwargs)

    def _note(self) -> None:
        frame = calling_frame(3)
        self.calls.append(DropoutCall(self._callers.where(frame), _is_on_purpose(frame)))


@dataclass(frozen=True)
class DropoutCall:
    """Where dropout was called, as `net.py:41`, and whether what is written there says that it
    shall work in evaluation mode, too.
    """

    where: str
    on_purpose: bool


def _is_on_purpose(frame: FrameType | None) -> bool:
    """Whether dropout is called with training=True, or by a module that somebody wrote for it."""
    while frame is not None and frame.f_code.co_filename.startswith(TORCH):
        frame = frame.f_back
    if frame is None:
        return False
    if isinstance(frame.f_locals.get("self"), _DropoutNd):
        return True
    lines = range(frame.f_lineno, frame.f_lineno + LINES)
    text = "".join(linecache.getline(frame.f_code.co_filename, line) for line in lines)
    call = "".join(text.partition("dropout")[2].split())
    return (
        re.match(r"\w*\([^()]*(\([^()]*\)[^()]*)*?(training=|train=|,)True[,)]", call) is not None
    )


LINES = 4  # of one call
ATTENTION = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
OFF_BY_DEFAULT = (F.alpha_dropout, F.feature_alpha_dropout)
DROPOUTS = (
    *(F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, *OFF_BY_DEFAULT),
    *(torch.dropout, torch.feature_dropout, torch.alpha_dropout),
)
