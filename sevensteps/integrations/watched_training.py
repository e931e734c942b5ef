"""What the integrations share: the watch of a training that another library runs."""

from __future__ import annotations

import logging
import re
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
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
# under which names a batch that is a mapping holds its targets
TARGETS = ("labels", "label", "targets", "target", "y")


class WatchedTraining:
    """The watch of a training that another library runs. Whatever goes wrong in it is logged, never
    raised, and the training goes on.

    `budget` is the share of the time that watching may cost; `show` says whether the diagnosis is
    printed on standard error when the training ends. `watch` is there from the beginning of a
    training, `diagnosis` from its end.
    """

    def __init__(self, budget: float = 0.02, show: bool = True) -> None:
        self.budget, self.show = budget, show
        self.watch: Watch | None = None
        self.diagnosis: Diagnosis | None = None
        self._running = False

    def begin(
        self,
        network: nn.Module | Mapping[str, Any],
        optimizers: torch.optim.Optimizer | Iterable[torch.optim.Optimizer] | None,
    ) -> None:
        """A training begins, of these networks with these optimizers."""
        with self.unharmed():
            if self.watch is not None:  # left over from a training that was broken off
                self.watch.stop()
            self.watch = self.diagnosis = None
            self.watch = watch(network, optimizers, budget=self.budget)
            # where nobody reports the end, and nobody holds us any more
            weakref.finalize(self, self.watch.stop).atexit = False
            self.watch.start()
            self._running = True

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
            self.watch.stop()
            if self.watch.observation.steps == 0:
                return
            self.diagnosis = self.watch.diagnose()
            if self.show and not _is_secondary_process():
                print(self.diagnosis, file=sys.stderr, flush=True)

    @contextmanager
    def unharmed(self) -> Iterator[None]:
        """Whatever is raised inside is logged, and nothing is watched from then on."""
        try:
            yield
        except Exception as failure:
            self._running = False
            with suppress(Exception):
                if self.watch is not None:
                    self.watch.stop()
            LOGGER.warning(
                "the training is no longer watched: %s: %s", type(failure).__name__, failure
            )

    def __getstate__(self) -> dict[str, Any]:
        """What libraries save of their callbacks beside a model: neither watch nor diagnosis."""
        return {**self.__dict__, "watch": None, "diagnosis": None, "_running": False}


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
