"""What the integrations share: the watch of a training that another library runs."""

from __future__ import annotations

import atexit
import logging
import re
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.api.watch import Watch, watch
from sevensteps.doctor.diagnosis import Diagnosis

LOGGER = logging.getLogger("sevensteps")
# metrics of which more is better: how a word of their names begins
SCORES = (
    *("acc", "auc", "bleu", "dice", "f1", "iou", "matthews", "precision", "r2", "recall"),
    *("rouge", "score"),
)
# how libraries call the methods that train
FITS = ("fit", "partial_fit", "train")
# under which names a batch that is a mapping holds its targets
TARGETS = ("labels", "label", "targets", "target", "y")


class WatchedTraining:
    """The watch of a training that another library runs. Whatever goes wrong in it is logged, never
    raised, and the training goes on.

    `budget` is the share of the time that watching may cost; `show` says whether the diagnosis is
    printed on standard error when the training ends. `watch` is there from the beginning of a
    training, `diagnosis` from its end. Libraries do not report the end of a training that is broken
    off, by an exception or Ctrl-C: it has ended once it is asked for, or the process ends.
    """

    def __init__(self, budget: float = 0.02, show: bool = True) -> None:
        self.budget, self.show = budget, show
        self.watch: Watch | None = None
        self._diagnosis: Diagnosis | None = None
        self._running = False
        self._fit: tuple[int, int, Any] | None = None  # thread, frame and code that train

    @property
    def diagnosis(self) -> Diagnosis | None:
        """What was wrong with the training; None while it runs."""
        with self.unharmed():
            if self._running and self.is_broken_off():
                self.end()
        return self._diagnosis

    def begin(
        self,
        network: nn.Module | Mapping[str, Any],
        optimizers: torch.optim.Optimizer | Iterable[torch.optim.Optimizer] | None,
    ) -> None:
        """A training begins, of these networks with these optimizers."""
        with self.unharmed():
            if self.watch is not None:  # left over from a training that was broken off
                self.watch.stop()
            self.watch = self._diagnosis = None
            self.watch = watch(network, optimizers, budget=self.budget)
            # where nobody reports the end, and nobody holds us any more
            weakref.finalize(self, self.watch.stop).atexit = False
            self.watch.start()
            self._running, self._fit = True, fit_of_caller()
            RUNNING.add(self)
            await_end_of_cell()

    def before_update(self) -> None:
        """An optimizer that is not PyTorch's is about to change the parameters."""
        with self.unharmed():
            if self._running and self.watch is not None:
                self.watch.before_update()

    def step(
        self,
        loss: Tensor | float | None,
        target: Any = None,
        parts: Mapping[str, Tensor | float] | None = None,
    ) -> None:
        """A batch has been trained on, with this loss (None: it was left out) and these targets."""
        with self.unharmed():
            if self._running and self.watch is not None and loss is not None:
                self.watch.step(loss, target=target, parts=parts)

    def evaluated(self, metrics: Mapping[str, Any]) -> None:
        """An evaluation gave these metrics: its loss and its score are handed on, if any."""
        with self.unharmed():
            loss, score = loss_and_score(metrics)
            if self._running and self.watch is not None and (loss, score) != (None, None):
                self.watch.valid(loss=loss, score=score)

    def end(self) -> None:
        """The training has ended: say what was wrong with it."""
        with self.unharmed():
            if not self._running or self.watch is None:
                return
            self._running = False
            RUNNING.discard(self)
            self.watch.stop()
            if self.watch.observation.steps == 0:
                return
            self._diagnosis = self.watch.diagnose()
            if self.show and not _is_secondary_process():
                print(self._diagnosis, file=sys.stderr, flush=True)

    def is_broken_off(self) -> bool:
        """Whether the method that began to train has been left."""
        if self._fit is None:
            return False
        thread, *begun = self._fit
        frame = sys._current_frames().get(thread)
        while frame is not None and [id(frame), frame.f_code] != begun:
            frame = frame.f_back
        return frame is None

    @contextmanager
    def unharmed(self) -> Iterator[None]:
        """Whatever is raised inside is logged, and nothing is watched from then on."""
        try:
            yield
        except Exception as failure:
            self._running = False
            RUNNING.discard(self)
            with suppress(Exception):
                if self.watch is not None:
                    self.watch.stop()
            LOGGER.warning(
                "the training is no longer watched: %s: %s", type(failure).__name__, failure
            )

    def __getstate__(self) -> dict[str, Any]:
        """What libraries save of their callbacks beside a model: neither watch nor diagnosis."""
        return {
            **self.__dict__,
            "watch": None,
            "_diagnosis": None,
            "_running": False,
            "_fit": None,
        }


# the trainings whose end has not been reported
RUNNING: weakref.WeakSet[WatchedTraining] = weakref.WeakSet()


@atexit.register
def end_all() -> None:
    """The process ends, and with it what trains."""
    for training in list(RUNNING):
        training.end()


def end_broken_off(*_: Any) -> None:
    """Trainings that were broken off have ended."""
    for training in list(RUNNING):
        if training.is_broken_off():
            training.end()


def await_end_of_cell() -> None:
    """In a notebook, what a cell broke off has ended when the cell has."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is not None:
        shell.events.register("post_run_cell", end_broken_off)


def fit_of_caller() -> tuple[int, int, Any] | None:
    """The thread, the frame and the code of the library's method that trains and has called us."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_name not in FITS:
        frame = frame.f_back
    return None if frame is None else (threading.get_ident(), id(frame), frame.f_code)


class ForeignOptimizer(torch.optim.Optimizer):
    """What an optimizer that is not PyTorch's updates, and how, in the form of PyTorch's. It cannot
    step.

    `groups` are its groups as in `param_groups`, `rates` gives the learning rate of each group now.
    """

    def __init__(
        self, groups: Sequence[dict[str, Any]], rates: Callable[[], Iterable[float]]
    ) -> None:
        self._groups, self._rates = list(groups), rates

    @property
    def param_groups(self) -> list[dict[str, Any]]:  # type: ignore[override]
        for group, rate in zip(self._groups, self._rates(), strict=True):
            group["lr"] = float(rate)
        return self._groups

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._groups)} groups>"


def foreign_optimizer(
    name: str, groups: Sequence[dict[str, Any]], rates: Callable[[], Iterable[float]]
) -> ForeignOptimizer:
    """A `ForeignOptimizer` whose class has the name of the optimizer: "Adam", "SGD"."""
    named: type[ForeignOptimizer] = type(name, (ForeignOptimizer,), {})
    return named(groups, rates)


def loss_and_score(metrics: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The loss and the score, of which more is better, among metrics by name; None where there is
    none.

    >>> loss_and_score({"val_loss": 0.5, "val_accuracy": 0.8})
    (0.5, 0.8)
    >>> loss_and_score({"epoch": 3, "error_rate": 0.25})
    (None, 0.75)
    """
    loss = score = None
    for name, value in metrics.items():
        words = re.findall(r"[a-z0-9]+", name.lower())
        number = _number(value)
        if number is None:
            continue
        if loss is None and "loss" in words:
            loss = number
        elif score is None and any(word.startswith(known) for word in words for known in SCORES):
            score = number
        elif score is None and words[-2:] == ["error", "rate"]:
            score = 1 - number
    return loss, score


def target_of(batch: Any) -> Any:
    """The targets in a batch: the second of two or more parts, the one named as such; else None."""
    if isinstance(batch, Mapping):
        return next((batch[name] for name in TARGETS if name in batch), None)
    if isinstance(batch, tuple | list) and len(batch) >= 2:
        return batch[1]
    return None


def unscaled(loss: Tensor | None, scaler: Any) -> Tensor | None:
    """A loss without the factor of a `GradScaler`; the device is not waited for."""
    if loss is None or scaler is None or not scaler.is_enabled():
        return loss
    factor: Tensor = scaler.scale(torch.ones_like(loss, requires_grad=False))
    return loss.detach() / factor


def _number(value: Any) -> float | None:
    """`value` as a number; None where it is none."""
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        return None


def _is_secondary_process() -> bool:
    """Whether another process of the same training speaks for all."""
    distributed = torch.distributed
    return (
        distributed.is_available() and distributed.is_initialized() and distributed.get_rank() > 0
    )
