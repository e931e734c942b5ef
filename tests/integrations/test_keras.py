"""Watch in Keras on PyTorch: healthy and faulty trainings, unchanged to the bit, nothing left on
the model.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.helpers import libraries
from tests.helpers.libraries import BROKEN_OFF, EPOCHS, FAULTS, NAN_STEP, STEPS, TRAIN

os.environ["KERAS_BACKEND"] = "torch"
keras: Any = pytest.importorskip("keras", reason="make test-integrations")
from benchmarks.doctor.libraries.keras import TRAININGS  # noqa: E402
from sevensteps.integrations.keras import Watch, activation_of, layers_of, optimizer_of  # noqa: E402

pytestmark = pytest.mark.draws


class Failing(keras.losses.Loss):
    """Cross-entropy that is no number in one batch of the training."""

    batches = 0

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        loss = keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
        self.batches += y_pred.requires_grad
        return loss * torch.nan if self.batches == NAN_STEP + 1 and y_pred.requires_grad else loss


def compiled(
    fault: str = "none", accumulated: int = 1, optimizer: Callable[..., Any] | None = None
) -> Any:
    """A model, compiled."""
    keras.utils.set_random_seed(0)
    last = "softmax" if fault == "double softmax" else None
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(10, activation=last),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(
        (optimizer or keras.optimizers.SGD)(
            0.3 if optimizer is None else 0.003,
            gradient_accumulation_steps=accumulated if accumulated > 1 else None,
        ),
        Failing() if fault == "nan" else loss,
        metrics=["accuracy"],
    )
    return model


def fit(
    model: Any, accumulated: int = 1, watched: bool = True, callbacks: tuple[Any, ...] = ()
) -> Watch:
    """Train `model`, and return the callback."""
    (x, y), (valid_x, valid_y) = libraries.digits()
    keras.utils.set_random_seed(1)
    watch = Watch(budget=1)
    model.fit(
        x.numpy(),
        y.numpy(),
        batch_size=libraries.BATCH // accumulated,
        epochs=EPOCHS,
        verbose=0,
        validation_data=(valid_x.numpy(), valid_y.numpy()),
        callbacks=[*callbacks, *([watch] if watched else [])],
    )
    return watch


def weights(model: Any) -> np.ndarray[Any, Any]:
    return np.concatenate([w.ravel() for w in model.get_weights()])


@pytest.mark.parametrize("accumulated", [1, 4])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_named(
    fault: str, accumulated: int, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = compiled(fault, accumulated), compiled(fault, accumulated)
    callback = fit(ours, accumulated)
    fit(theirs, accumulated, watched=False)
    libraries.check_diagnosis(callback, fault, STEPS * accumulated, EPOCHS)
    libraries.check_shown(callback, capsys)
    assert np.array_equal(weights(ours), weights(theirs), equal_nan=True)


@BROKEN_OFF
def test_a_training_that_is_broken_off_is_diagnosed(
    raised: type[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    breaker, watch = libraries.Breaker(raised), Watch(budget=1)

    class Breaking(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            breaker.batch()

    with pytest.raises(raised):
        compiled("double softmax").fit(
            *(part.numpy() for part in libraries.digits()[0]),
            batch_size=libraries.BATCH,
            epochs=EPOCHS,
            verbose=0,
            callbacks=[watch, Breaking()],
        )
    libraries.check_broken_off(watch, capsys)


class Mixed(keras.Model):
    """Layers in attributes, in a list, in another layer, and of PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = keras.layers.Dense(16, activation="relu", name="hidden")
        self.rest = [
            keras.layers.BatchNormalization(name="norm"),
            keras.Sequential([keras.layers.Dense(16, name="inner"), keras.layers.ReLU(name="act")]),
        ]
        self.last = torch.nn.Linear(16, 10)

    def call(self, x: Tensor) -> Tensor:
        x = self.hidden(x)
        for layer in self.rest:
            x = layer(x)
        return self.last(x)


def test_layers_are_seen() -> None:
    keras.utils.set_random_seed(0)
    model = Mixed()
    model.compile(
        keras.optimizers.Adam(0.003),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    watch = fit(model).watch
    assert watch.failure is None
    (facts, looks) = watch.observation.facts, watch.observation.looks
    wrapper = model.last.name
    assert {name: (f.role, f.activation) for name, f in facts.layers.items()} == {
        "hidden": ("activation", "relu"),
        "norm": ("norm", None),
        "inner": ("weights", None),
        "act": ("activation", "relu"),
        f"{wrapper}.Linear": ("weights", None),
    }
    assert list(looks[-1].signals) == list(facts.layers)
    assert all(signal.gradient is not None for signal in looks[-1].signals.values())
    assert facts.parameters.keys() >= {p for f in facts.layers.values() for p in f.parameters}
    assert all(f.parameters for f in facts.layers.values() if f.name != "act")


def test_dead_units_are_named() -> None:
    model = compiled()
    hidden = model.layers[0]
    hidden.set_weights([hidden.get_weights()[0], np.full(32, -100, "float32")])
    found = fit(model).diagnosis.findings
    assert "dead_units" in [finding.condition for finding in found]


def test_what_a_layer_gives() -> None:
    layers = keras.layers
    assert activation_of(layers.Dense(3)) is None
    assert activation_of(layers.Dense(3, activation="tanh")) == "tanh"
    assert activation_of(layers.Activation("silu")) == "silu"
    assert activation_of(layers.LeakyReLU()) is None
    assert activation_of(layers.ReLU()) == "relu"
    assert activation_of(layers.LSTM(3)) is None
    assert layers_of(torch.nn.Linear(2, 2)) == {}


def test_a_step_is_an_update_of_the_weights() -> None:
    looks = fit(compiled(accumulated=4), 4).watch.observation.looks
    assert {look.step for look in looks if look.stepped} == {
        look.step for look in looks if look.step % 4 == 3
    }
    changes = [change for look in looks if look.stepped for change in look.changes.values()]
    assert all(change.update is not None and change.update.sum() > 0 for change in changes)


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSprop"])
def test_optimizers(name: str) -> None:
    model = compiled(optimizer=getattr(keras.optimizers, name))
    callback = fit(model)
    libraries.check_diagnosis(callback, "none", STEPS, EPOCHS)
    (group,) = callback.watch.observation.facts.groups
    assert group["optimizer"] == name
    assert {p.group for p in callback.watch.observation.facts.parameters.values()} == {0}
    assert group["lr"] == pytest.approx(0.003)
    assert ("betas" in group) == name.startswith("Adam")


def test_the_losses_are_those_of_the_batches() -> None:
    class Means(keras.callbacks.Callback):
        values: tuple[float, ...] = ()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.values += (float(logs["loss"]),)

    means = Means()
    callback = fit(compiled(), callbacks=(means,))
    batches = TRAIN // libraries.BATCH
    losses = np.array([loss for _, loss in callback.watch.observation.losses])[:batches]
    assert losses.cumsum() / np.arange(1, batches + 1) == pytest.approx(means.values[:batches])


def test_the_evaluations_are_keras_own() -> None:
    model = compiled()
    callback = fit(model)
    logs = model.history.history
    evaluations = callback.watch.observation.evaluations
    assert [loss for _, loss, _ in evaluations] == logs["val_loss"]
    assert [score for _, _, score in evaluations] == logs["val_accuracy"]


def test_nothing_is_left_on_the_model_between_batches(tmp_path: Path) -> None:
    class Saving(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            assert "apply" not in vars(self.model.optimizer)
            assert "compute_loss" not in vars(self.model)
            if batch == 0:
                torch.save(self.model, tmp_path / "model.pt")
                self.model.save(tmp_path / "model.keras")

    model = compiled()
    fit(model, callbacks=(Saving(),))
    saved = keras.models.load_model(tmp_path / "model.keras")
    assert [w.shape for w in saved.get_weights()] == [w.shape for w in model.get_weights()]


def test_a_training_step_of_ones_own() -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = keras.layers.Dense(32, activation="relu")
            self.last = keras.layers.Dense(10)

        def call(self, x: Tensor) -> Tensor:
            return self.last(self.hidden(x))

        def train_step(self, data: Any) -> dict[str, float]:
            x, y = data
            self.zero_grad()
            loss = self.compute_loss(x, y, self(x, training=True))
            loss.backward()
            with torch.no_grad():
                self.optimizer.apply(
                    [v.value.grad for v in self.trainable_weights], self.trainable_weights
                )
            return {"loss": loss.item()}

    keras.utils.set_random_seed(0)
    model = Own()
    model.compile(
        keras.optimizers.SGD(0.3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    observation = fit(model).watch.observation
    assert observation.steps == STEPS
    assert all(look.stepped for look in observation.looks)


def test_another_way_of_running_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    model = compiled()
    model.jit_compile = True
    watch = Watch()
    watch.set_model(model)
    watch.on_train_begin()
    watch.on_train_batch_begin(0)
    assert "compute_loss" not in vars(model)
    watch.on_train_batch_end(0)
    watch.on_train_end()
    assert (watch.watch, watch.diagnosis) == (None, None)
    assert "jit_compile" in caplog.text


def test_the_optimizer_in_pytorchs_form() -> None:
    model = compiled()
    model.optimizer.build(model.trainable_variables)
    optimizer = optimizer_of(model.optimizer)
    assert isinstance(optimizer, torch.optim.Optimizer)
    (group,) = optimizer.param_groups
    assert {id(p) for p in group["params"]} == {id(p) for p in model.parameters()}
    model.optimizer.learning_rate = 0.7
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.7)


@pytest.mark.parametrize("name", [*TRAININGS][::2])
def test_a_healthy_training_is_not_accused(name: str) -> None:
    callback = TRAININGS[name](0)
    assert callback.watch.failure is None
    assert callback.diagnosis.findings == []
