"""skorch: a callback that says at the end what was wrong with the training.

NeuralNetClassifier(…, callbacks=[sevensteps.integrations.skorch.Watch()])

skorch runs forward and backward passes inside `optimizer.step(closure)`.
"""

from __future__ import annotations

from typing import Any, Self

from torch import Tensor

from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.integrations import library_of
from sevensteps.integrations.watched_training import WatchedTraining, target_of

Callback: Any = library_of("skorch").callbacks.Callback


class Watch(Callback):  # type: ignore[misc]
    """Watches `NeuralNet.fit`: `NeuralNetClassifier(…, callbacks=[Watch()])`.

    `budget` is the share of the time that watching may cost; with `show`, the diagnosis is printed
    at the end. Then it is in `diagnosis`, and what was observed in `watch`.
    """

    def __init__(self, *, budget: float = 0.02, show: bool = True) -> None:
        self.budget, self.show = budget, show
        self.watched_ = WatchedTraining(budget, show)

    @property
    def watch(self) -> Any:
        return self.watched_.watch

    @property
    def diagnosis(self) -> Diagnosis | None:
        return self.watched_.diagnosis

    def initialize(self) -> Self:
        self.watched_ = WatchedTraining(self.budget, self.show)
        return self

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **_: Any) -> None:
        optimizers = [getattr(net, f"{name}_") for name in net._optimizers]
        self.watched_.begin(net.module_, optimizers)

    def on_batch_end(
        self,
        net: Any,
        batch: Any = None,
        training: bool | None = None,
        loss: Tensor | None = None,
        **_: Any,
    ) -> None:
        if training:
            self.watched_.step(loss, target_of(batch))

    def on_epoch_end(self, net: Any, **_: Any) -> None:
        with self.watched_.unharmed():
            latest = net.history[-1]
            self.watched_.evaluated({k: v for k, v in latest.items() if k.startswith("valid")})

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **_: Any) -> None:
        self.watched_.end()
