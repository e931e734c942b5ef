"""Keras 3 on PyTorch: a callback that says at the end what was wrong with the training.

model.fit(…, callbacks=[sevensteps.integrations.keras.Watch()])

Keras has optimizers of its own, and hands its callbacks no batch, and of the loss only a running
mean. While a batch is trained on, its `compute_loss` and its optimizer's `apply` are therefore
listened to; between batches nothing is left on the model.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.integrations import library_of
from sevensteps.integrations.watched_training import LOGGER, WatchedTraining, foreign_optimizer

keras: Any = library_of("keras")


class Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """Watches `Model.fit`: `model.fit(…, callbacks=[Watch()])`.

    `budget` is the share of the time that watching may cost; with `show`, the diagnosis is printed
    at the end. Then it is in `diagnosis`, and what was observed in `watch`.
    """

    def __init__(self, *, budget: float = 0.02, show: bool = True) -> None:
        super().__init__()
        self.watched = WatchedTraining(budget, show)
        self._loss: Tensor | None = None
        self._target: Any = None
        self._is_watching = False

    @property
    def watch(self) -> Any:
        return self.watched.watch

    @property
    def diagnosis(self) -> Diagnosis | None:
        return self.watched.diagnosis

    def on_train_begin(self, logs: Any = None) -> None:
        self._is_watching = keras.backend.backend() == "torch" and not self.model.jit_compile
        if self._is_watching:
            with self.watched.unharmed():
                self.watched.begin(self.model, optimizer_of(self.model.optimizer))
        else:
            LOGGER.warning("Keras is watched where it runs on PyTorch, without jit_compile=True")

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._loss = self._target = None
        if not self._is_watching:
            return
        with self.watched.unharmed():
            compute_loss, apply = self.model.compute_loss, self.model.optimizer.apply

            def listening_compute_loss(
                x: Any = None, y: Any = None, *args: Any, **kwargs: Any
            ) -> Any:
                del self.model.__dict__["compute_loss"]
                self._target, self._loss = y, compute_loss(x, y, *args, **kwargs)
                return self._loss

            def listening_apply(*args: Any, **kwargs: Any) -> Any:
                del self.model.optimizer.__dict__["apply"]
                if is_update(self.model.optimizer):
                    self.watched.before_update()
                return apply(*args, **kwargs)

            # past Keras, which keeps account of what is set on a model
            self.model.__dict__["compute_loss"] = listening_compute_loss
            self.model.optimizer.__dict__["apply"] = listening_apply

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.model.__dict__.pop("compute_loss", None)  # if nobody called it
        self.model.optimizer.__dict__.pop("apply", None)
        self.watched.step(self._loss, self._target)
        self._loss = self._target = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.watched.evaluated({k: v for k, v in (logs or {}).items() if k.startswith("val_")})

    def on_train_end(self, logs: Any = None) -> None:
        self.watched.end()


def optimizer_of(optimizer: Any) -> Any:
    """An optimizer of Keras in PyTorch's form."""
    variables = optimizer._trainable_variables
    settings = {
        "params": [variable.value for variable in variables],
        "weight_decay": optimizer.weight_decay or 0.0,
        "eps": getattr(optimizer, "epsilon", None),
        "momentum": getattr(optimizer, "momentum", None),
        "betas": (optimizer.beta_1, optimizer.beta_2) if hasattr(optimizer, "beta_2") else None,
    }
    group = {name: value for name, value in settings.items() if value is not None}
    return foreign_optimizer(
        type(optimizer).__name__, [group], lambda: [float(optimizer.learning_rate)]
    )


def is_update(optimizer: Any) -> bool:
    """Whether the next call of `apply` changes the weights: with accumulation, not each does."""
    accumulated = optimizer.gradient_accumulation_steps
    return not accumulated or (int(optimizer._iterations) + 1) % accumulated == 0
