"""Evaluations of a script: forward passes of a watched network without gradients, the losses that
are computed from them, and how many answers are right.
"""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sevensteps.observe.samples import Inputs
from sevensteps.observe.script.attributes import Attributes
from sevensteps.observe.script.loaders import Source
from sevensteps.observe.script.right_answers import RightAnswers
from sevensteps.observe.script.roots import TORCH_FOLDER
from sevensteps.observe.structure import tensors_of

LOSSES = (
    "cross_entropy",
    "nll_loss",
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "kl_div",
)
CLASSES = ("cross_entropy", "nll_loss")  # whose targets are classes
COMPARISONS = ("__eq__", "eq", "__ne__", "ne")
TAKEN = ("numpy", "tolist", "__array__")  # out of PyTorch
FRUITLESS = 8  # evaluations in a row without loss or score, after which single calls are no more
MAX_SAMPLES = 2048  # of an evaluation that are remembered
MAX_NUMBERS = 4_000_000  # in their inputs


class Evaluation:
    """One evaluation: what was asked of the network, the losses, the right answers."""

    def __init__(self) -> None:
        self.loss: Any = 0.0  # summed up over `count` samples
        self.count = 0
        self.right: Any = 0
        self.judged = 0  # answers that are right or wrong by a loss of classes
        self.answers = RightAnswers()
        self.calls = 0
        self.gradients = False  # whether it is made with gradients switched on
        self.in_training_mode = 0  # calls of a whole network that is in training mode
        self.inputs: list[Tensor] = []
        self.targets: list[Tensor] = []
        self.last_input: Tensor | None = None
        self.source: Source | None = None  # of the data, where it is known

    def mean_loss(self) -> float | None:
        """The loss per sample; None where none was computed."""
        return float(self.loss) / self.count if self.count else None

    def score(self) -> float | None:
        """The share of right answers; None where the targets are no classes, or not known."""
        return float(self.right) / self.judged if self.judged else self.answers.score()

    def samples(self) -> tuple[Tensor, Tensor] | None:
        """Inputs and targets, as they were; None where they do not belong together."""
        if not self.inputs:
            return None
        try:
            return torch.cat(self.inputs), torch.cat(self.targets)
        except RuntimeError:  # of several shapes
            return None

    def add(self, name: str, answer: Tensor, target: Tensor, loss: Tensor, reduction: str) -> None:
        """A loss was computed from an answer of the network."""
        if not target.ndim or not loss.is_floating_point():
            return
        rows = len(target)
        self.count += rows
        if reduction == "sum":
            self.loss = self.loss + loss.detach().sum()
        else:  # of one number for each, or of their mean
            self.loss = self.loss + loss.detach().mean() * rows
        classes = name in CLASSES and not target.is_floating_point()
        if classes and answer.ndim == target.ndim + 1 and answer.ndim > 1:
            self.right = self.right + (answer.detach().argmax(1) == target).sum()
            self.judged += target.numel()
        self.keep(target)

    def keep(self, target: Tensor) -> None:
        """Remember the last input, with its targets."""
        x, self.last_input = self.last_input, None
        have = sum(map(len, self.inputs))
        if x is None or not x.ndim or len(x) != len(target) or have >= MAX_SAMPLES:
            return
        numbers = sum(map(Tensor.numel, self.inputs)) + x.numel()
        if numbers <= MAX_NUMBERS:
            self.inputs.append(x.detach().to("cpu", copy=True))
            self.targets.append(target.detach().to("cpu", copy=True))


class EvaluationReader:
    """Reads the evaluations of one network, from the first forward pass without gradients on to
    `finish`.

    Only in between are PyTorch's loss functions replaced by ones that tell us what they were called
    with.
    """

    def __init__(self, attributes: Attributes) -> None:
        self.attributes = attributes
        self.losses: tuple[str, ...] = LOSSES  # that are told of
        self.comparisons = True  # whether those of tensors are told of
        self.evaluation: Evaluation | None = None
        self.telling = False
        self._fruitless = 0  # evaluations in a row, of whatever network
        self._fruitless_of: weakref.WeakKeyDictionary[nn.Module, int] = weakref.WeakKeyDictionary()
        self._network: weakref.ref[nn.Module] | None = None  # that is evaluated
        self._late = False  # whether the evaluation that goes on was not expected

    def prepare(self) -> None:
        """An evaluation is to be expected: have loss functions and comparisons tell us."""
        if self.telling:
            return
        self.telling = True
        for name in self.losses:
            self.attributes.replace(F, name, self._told(name, getattr(F, name)))
        if not self.comparisons:
            return
        for name in COMPARISONS:
            self.attributes.note(Tensor, name, self._compares(getattr(Tensor, name), name))
        for name in TAKEN:
            self.attributes.note(Tensor, name, self._note_taken)
        self.attributes.replace(torch, "eq", self._told("eq", torch.eq))

    def start(self) -> Evaluation:
        """An evaluation begins."""
        self.evaluation = Evaluation()
        return self.evaluation

    def begin(
        self, network: nn.Module, note_inputs: Callable[[Inputs], None] | None = None
    ) -> Callable[..., Any]:
        """The network is called without gradients: what is to be called instead, which tells
        `note_inputs` of the arguments; None where only a part of the network is called.
        """
        evaluation = self.evaluation or self.start()
        self._network = weakref.ref(network)
        fruitless = self._fruitless_of.get(network, 0)
        if not self.telling and (fruitless < FRUITLESS or evaluation.calls):
            self._late = True
            self.prepare()
        call = type(network).__call__
        enter = self.attributes.guarded(self._note_call)
        leave = self.attributes.guarded(self._note_answer)

        def called(*arguments: Any, **named: Any) -> Any:
            enter(Inputs(arguments, named), note_inputs)
            output = call(network, *arguments, **named)
            leave(output)
            return output

        return called

    def _note_call(self, inputs: Inputs, note_inputs: Callable[[Inputs], None] | None) -> None:
        if note_inputs is not None:
            note_inputs(inputs)
        tensors = list(tensors_of(inputs).values()) if note_inputs is not None else []
        if self.evaluation is not None:
            self.evaluation.calls += 1
            self.evaluation.last_input = tensors[0] if len(tensors) == 1 else None

    def _note_answer(self, output: Any) -> None:
        if self.evaluation is not None and self.telling:
            self.evaluation.answers.answered(output)

    def _compares(self, function: Any, name: str) -> Callable[[Any], Callable[..., Any]]:
        note, unequal = self.attributes.guarded(self._note_comparison), "ne" in name

        def compares(tensor: Any) -> Callable[..., Any]:
            def compare(*arguments: Any, **named: Any) -> Any:
                result = function(tensor, *arguments, **named)
                note(tensor, arguments[0] if arguments else named.get("other"), result, unequal)
                return result

            return compare

        return compares

    def _note_comparison(self, one: Any, other: Any, result: Any, unequal: bool = False) -> None:
        if self.evaluation is not None:
            target = self.evaluation.answers.compared(one, other, result, unequal)
            if target is not None and not self.evaluation.count:
                self.evaluation.keep(target)

    def _note_taken(self, tensor: Any) -> None:
        if self.evaluation is not None:
            self.evaluation.answers.taken(tensor)

    def _note_no_grad(self, _: Any) -> None:
        """Gradients are switched off: by the script, for an evaluation, or by PyTorch itself."""
        frame = sys._getframe(3)  # above the note
        function = (
            frame.f_locals.get("func") if frame.f_code.co_name == "decorate_context" else None
        )
        if function is not None:
            own = not str(getattr(function, "__module__", "")).startswith("torch")
        else:
            own = not frame.f_code.co_filename.startswith(TORCH_FOLDER)
        if own and self._fruitless < FRUITLESS:
            self.prepare()

    def _told(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        note = self.attributes.guarded(self._note)

        @functools.wraps(function)
        def told(*arguments: Any, **named: Any) -> Any:
            loss = function(*arguments, **named)
            if self._is_noted():
                note(name, arguments, named, loss)
            return loss

        # what torch.jit.script compiles in its place
        vars(told).update({"__script_if_tracing_wrapper": True, "__original_fn": function})
        return told

    def _is_noted(self) -> bool:
        """Whether a loss that is computed now may be one of the evaluation."""
        evaluation = self.evaluation
        return not torch.is_grad_enabled() or (evaluation is not None and evaluation.gradients)

    def _note(
        self, name: str, arguments: tuple[Any, ...], named: dict[str, Any], loss: Any
    ) -> None:
        answer = arguments[0] if arguments else named.get("input")
        target = arguments[1] if len(arguments) > 1 else named.get("target", named.get("other"))
        if self.evaluation is None or not all(
            isinstance(tensor, Tensor) for tensor in (answer, target, loss)
        ):
            return
        if name == "eq":
            self._note_comparison(answer, target, loss)
            return
        self.evaluation.add(name, answer, target, loss, str(named.get("reduction", "mean")))  # type: ignore[arg-type]

    def finish(self) -> Evaluation | None:
        """The evaluation has come to its end; None where there was none."""
        evaluation, self.evaluation = self.evaluation, None
        if self.telling:
            self.telling = False
            for name in LOSSES:
                self.attributes.restore(F, name)
            for name in (*COMPARISONS, *TAKEN):
                self.attributes.restore(Tensor, name)
            self.attributes.restore(torch, "eq")
            fruitful = evaluation is not None and (
                evaluation.count or evaluation.score() is not None
            )
            self._fruitless = 0 if fruitful else self._fruitless + 1
            network = None if self._network is None else self._network()
            if network is not None:
                before = self._fruitless_of.get(network, 0)
                self._fruitless_of[network] = 0 if fruitful else before + 1
            if self._late and not fruitful and self.comparisons:
                # F.mse_loss(net(x), y) looks for the function before the network is called
                for kind in (torch.no_grad, torch.inference_mode):
                    self.attributes.note(kind, "__enter__", self._note_no_grad)
        self._late = False
        return evaluation
