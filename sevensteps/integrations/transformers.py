"""Hugging Face: a callback that says at the end what was wrong with the training.

Trainer(…, callbacks=[sevensteps.integrations.transformers.Watch()])

`Trainer` hands the loss to no callback, and logs a loss that is not a number as if it were one. The
loss is therefore taken from the next call of `Tensor.backward`, and the labels from the next call
of the model. Where the loss takes them out of the model's inputs, they are read in `compute_loss`,
or from what PyTorch has kept of them for the gradient. Nothing is left on the model while it is
evaluated or saved.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.integrations import library_of
from sevensteps.integrations.watched_training import TARGETS, WatchedTraining, unscaled
from sevensteps.observe.script.losses import LOSSES, TargetReader

transformers: Any = library_of("transformers")

IGNORED = -100  # the label of tokens that the loss leaves out
# how the classes of models end that compare their answer to a token with the next label
CAUSAL = ("ForCausalLM", "LMHeadModel")
MAX_FRAMES = 24  # from a call of the model back to `compute_loss`


class Watch(transformers.TrainerCallback):  # type: ignore[misc]
    """Watches `Trainer.train`: `Trainer(…, callbacks=[Watch()])`.

    `budget` is the share of the time that watching may cost; with `show`, the diagnosis is printed
    at the end. Then it is in `diagnosis`, and what was observed in `watch`.
    """

    def __init__(self, *, budget: float = 0.02, show: bool = True) -> None:
        self.watched = WatchedTraining(budget, show)
        self._label_names: list[str] = []
        self._loss: Tensor | None = None
        self._target: Any = None
        self._handle: Any = None  # of a hook on the model
        self._targets = TargetReader()
        self._is_whole = False  # whether the loss is not divided by the batches of a step

    @property
    def watch(self) -> Any:
        return self.watched.watch

    @property
    def diagnosis(self) -> Diagnosis | None:
        return self.watched.diagnosis

    def on_train_begin(
        self,
        args: Any,
        state: Any,
        control: Any,
        model: Any = None,
        optimizer: Any = None,
        **_: Any,
    ) -> None:
        with self.watched.unharmed():
            self._targets = TargetReader()
            self._label_names = args.label_names or transformers.utils.find_labels(type(model))
            self.watched.begin(model, optimizer)

    def on_step_begin(
        self, args: Any, state: Any, control: Any, model: Any = None, **_: Any
    ) -> None:
        self._listen(args, model)

    def on_substep_end(
        self,
        args: Any,
        state: Any,
        control: Any,
        model: Any = None,
        optimizer: Any = None,
        **_: Any,
    ) -> None:
        self._step(args, optimizer)
        self._listen(args, model)

    def on_optimizer_step(
        self, args: Any, state: Any, control: Any, optimizer: Any = None, **_: Any
    ) -> None:
        self._step(args, optimizer)

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any
    ) -> None:
        self.watched.evaluated(metrics or {})

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.watched.end()

    def _listen(self, args: Any, model: nn.Module) -> None:
        """Take the labels from the next call of the model, and the loss from the next backward
        pass; both stop listening by themselves.
        """
        self._loss = self._target = None
        with self.watched.unharmed():
            listen_for_loss(self._loss_comes)
            if self._handle is not None:
                self._handle.remove()
            if args.n_gpu <= 1 and not args.torch_compile:
                self._handle = model.register_forward_pre_hook(self._labels_come, with_kwargs=True)

    def _loss_comes(self, loss: Tensor) -> None:
        self._loss, self._is_whole = loss, is_whole(loss)
        with self.watched.unharmed():
            if self._target is None:  # the loss took the labels out of the model's inputs
                looking = self.watch is not None and self.watch.looking
                self._target = self._targets.target(loss, search=looking)

    def _labels_come(self, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        with self.watched.unharmed():
            self._handle.remove()
            self._handle = None
            labels = {name: kwargs[name] for name in self._label_names if name in kwargs}
            labels = labels or labels_of_caller(self._label_names or TARGETS)
            if type(model).__name__.endswith(CAUSAL):
                labels = {name: next_tokens(tokens) for name, tokens in labels.items()}
            self._target = next(iter(labels.values())) if len(labels) == 1 else labels or None

    def _step(self, args: Any, optimizer: Any) -> None:
        with self.watched.unharmed():
            loss = unscaled(self._loss, getattr(optimizer, "scaler", None))
            batches = args.gradient_accumulation_steps
            if loss is not None and batches > 1 and not self._is_whole:  # a share of the step's
                loss = loss * batches
            self.watched.step(loss, self._target)
        self._loss = self._target = None


def listen_for_loss(callback: Callable[[Tensor], None]) -> None:
    """Have `callback` called with the tensor of the next call of `Tensor.backward`."""
    backward: Any = Tensor.backward
    backward = getattr(backward, "listens_for", backward)  # the training before was broken off

    def listening(self: Tensor, *args: Any, **kwargs: Any) -> None:
        Tensor.backward = backward  # type: ignore[method-assign]
        callback(self)
        backward(self, *args, **kwargs)

    listening.listens_for = backward  # type: ignore[attr-defined]
    Tensor.backward = listening  # type: ignore[method-assign]


def labels_of_caller(names: Sequence[str]) -> dict[str, Tensor]:
    """The labels that `compute_loss` took out of the inputs before it called the model."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(MAX_FRAMES):
        if frame is None or frame.f_code.co_name == "compute_loss":
            break
        frame = frame.f_back
    else:
        return {}
    variables = {} if frame is None else frame.f_locals
    return {name: variables[name] for name in names if isinstance(variables.get(name), Tensor)}


def is_whole(loss: Tensor) -> bool:
    """Whether a loss comes straight from a loss function, and nobody has divided it."""
    return loss.grad_fn is not None and loss.grad_fn.name().startswith(LOSSES)


def next_tokens(labels: Tensor) -> Tensor:
    """What each place of a text is to be answered with: the label of the token after it."""
    return torch.nn.functional.pad(labels, (0, 1), value=IGNORED)[..., 1:]
