"""Keras on its PyTorch backend: compile and fit on arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from benchmarks.speed.trial import Clock, Trial


class Laps(keras.callbacks.Callback):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.clock.lap()


def compiled(trial: Trial, metrics: list[str]) -> Any:
    """The network of the case, ready to `fit`."""
    keras.utils.set_random_seed(trial.seed)
    hidden = [keras.layers.Dense(width, activation="relu") for width in trial.case.widths]
    model = keras.Sequential([keras.layers.Input((784,)), *hidden, keras.layers.Dense(10)])
    model.compile(
        optimizer=keras.optimizers.SGD(trial.case.lr),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=metrics,
    )
    return model


def train(trial: Trial) -> dict[str, Any]:
    model = compiled(trial, [])
    clock = Clock()
    history = model.fit(
        trial.x,
        trial.y,
        batch_size=trial.case.batch,
        epochs=trial.epochs,
        shuffle=True,
        verbose=0,
        callbacks=[Laps(clock)],
    )
    scores = model.predict(trial.x_test, batch_size=1000, verbose=0)
    return {
        "seconds_per_epoch": clock.laps,
        "losses": history.history["loss"],
        "accuracy": trial.accuracy(scores),
        "version": keras.__version__,
    }


def whole_call(trial: Trial) -> Callable[[], dict[str, Any]]:
    """`fit` with validation data and the metric accuracy, which it computes in training too; a line
    an epoch is printed, no bar.
    """

    def call() -> dict[str, Any]:
        history = compiled(trial, ["accuracy"]).fit(
            trial.x,
            trial.y,
            batch_size=trial.case.batch,
            epochs=trial.epochs,
            validation_data=(trial.x_test, trial.y_test),
            verbose=2,
        )
        return {"accuracies": history.history["val_accuracy"], "version": keras.__version__}

    return call
